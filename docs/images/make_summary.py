"""Make summary.svg: what `footfall run` really prints for the example project, as a picture of a terminal.

    python docs/images/make_summary.py

Run it by an interpreter that has footfall and pytest installed.
"""

import fcntl
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import sysconfig
import tempfile
import termios

from rich.console import Console
from rich.text import Text

COLUMNS = 104
HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE.parent.parent / "examples" / "ledger"
COMMAND = ["run", "-m", "pytest", "-q"]


def main() -> None:
    """Run the command on the example in a terminal of our own; save what it showed."""
    with tempfile.TemporaryDirectory() as directory:
        command = [os.path.join(sysconfig.get_path("scripts"), "footfall"), *COMMAND]
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "PYTHONDONTWRITEBYTECODE": ""}
        example = pathlib.Path(directory, "ledger")
        subprocess.run(["cp", "-r", str(EXAMPLE), str(example)], check=True)
        in_terminal(command, example, environment)  # fills the bytecode caches
        shown = in_terminal(command, example, environment)
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w", encoding="utf-8"))
    console.print(Text.assemble(("$ ", "bold green"), ("footfall " + " ".join(COMMAND), "bold")))
    console.print(Text.from_ansi(shown.strip("\n")))
    svg = console.export_svg(title="examples/ledger")
    svg = re.sub(r"\s*@font-face \{.*?\n    \}", "", svg, flags=re.DOTALL)  # a picture loads nothing from elsewhere
    (HERE / "summary.svg").write_text(svg + "\n", encoding="utf-8")


def in_terminal(command: list[str], directory: pathlib.Path, environment: dict[str, str]) -> str:
    """Run a command on a pseudo-terminal of COLUMNS columns; return all it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    process = subprocess.Popen(command, cwd=directory, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    chunks = []
    try:
        while chunk := os.read(ours, 65536):
            chunks.append(chunk)
    except OSError:
        pass  # Linux ends a pseudo-terminal's last read with EIO
    if process.wait():
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    text = b"".join(chunks).decode("utf-8").replace("\r\n", "\n")
    # What a progress line overwrote is not on the screen at the end.
    return "\n".join(re.sub(r".*\r(?=[^\n])", "", line) for line in text.split("\n"))


if __name__ == "__main__":
    main()
