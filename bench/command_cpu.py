"""The CPU of a command, and of the measured program within it."""

import os
import pathlib
import subprocess
import sys

__all__ = ["PROBE", "command_cpu"]

PROBE = pathlib.Path(__file__).with_name("program_cpu.py")


def command_cpu(prefix: list[str], program: list[str], directory: str, env: dict[str, str]) -> tuple[float, float]:
    """Run `prefix` (a tool that starts a command, or nothing) with `program`; return seconds of CPU (user + system).

    The first number is the program's own, with its children; the second that of all. SystemExit where it fails.
    """
    cpu = os.path.join(directory, "cpu")
    command = [*prefix, sys.executable, "-I", "-S", str(PROBE), cpu, *program]
    before = os.times()
    done = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True)
    after = os.times()
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    total = after.children_user + after.children_system - before.children_user - before.children_system
    return float(pathlib.Path(cpu).read_text(encoding="ascii")), total
