"""`footfall run --every`: `footfall snapshot` in a process of its own, so that no signal to the command has to wait."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from footfall.record.run.directory import RunDirectory

__all__ = ["repeated_snapshots"]


@contextlib.contextmanager
def repeated_snapshots(
    directory: RunDirectory, seconds: float | None, data_file: str, config_file: str | None
) -> Iterator[None]:
    """Write what a run has recorded to its data file every so many seconds; with None, do nothing.

    Nothing writes there any more when this returns.
    """
    if seconds is None:
        yield
        return
    options = ["--quiet", f"--every={seconds}", f"--data-file={data_file}"]
    if config_file is not None:
        options.append(f"--rcfile={config_file}")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "footfall", "snapshot", *options, str(directory.path)],
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the command
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()
