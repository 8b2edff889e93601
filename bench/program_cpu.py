"""Run a command and write the CPU seconds (user + system) of it and its children to a file.

    python -I -S program_cpu.py FILE COMMAND...

Stands between `footfall run` and the measured program, to tell the program's own cost from that of what
footfall does after it ended. Run it with -S: then footfall's start hook does not see this process.
"""

import os
import resource
import sys

pid = os.spawnvp(os.P_NOWAIT, sys.argv[2], sys.argv[2:])  # PyPy has no posix_spawn
_, status = os.waitpid(pid, 0)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w", encoding="ascii") as file:
    file.write(repr(usage.ru_utime + usage.ru_stime))
sys.exit(os.waitstatus_to_exitcode(status))
