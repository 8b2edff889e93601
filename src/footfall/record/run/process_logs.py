"""All sample logs in a run directory, from the CPython and PyPy samplers, in their common form."""

from __future__ import annotations

import os

from footfall.errors import FootfallError
from footfall.record.run.sample_log import SampleLog, read_sample_log
from footfall.record.run.segments import sentence_of_stop
from footfall.record.run.vmprof import read_vmprof

__all__ = ["read_sample_logs"]


def read_sample_logs(directory: str, messages: list[tuple[str, str]] | None = None) -> list[SampleLog]:
    """Read every sample log of a run directory, sorted by name.

    A file that cannot be read, or only in part, is reported in `messages` as (slug, sentence); the rest is kept.
    """
    logs: list[SampleLog] = []
    reported = messages if messages is not None else []
    for name in sorted(os.listdir(directory)):
        if not name.endswith((".smp", ".vmprof")):
            continue
        file = os.path.join(directory, name)
        try:
            log = (read_sample_log if name.endswith(".smp") else read_vmprof)(file)
        except FootfallError as error:
            reported.append((error.slug, str(error)))
            continue
        except OSError as error:
            reported.append(("record-unreadable", f"Can't read {file}: {error.strerror}."))
            continue
        reported += [("record-damaged", sentence) for sentence in log.damage]
        if log.stopped_errno:
            what = f"The profile of process {log.pid} stopped"
            reported.append(("sample-log-full", sentence_of_stop(what, log.stopped_errno)))
        logs.append(log)
    return logs
