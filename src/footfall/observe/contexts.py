"""What runs now belongs to a context: one test, one request. Called by the pytest plugin, the API and programs.

A switch records what each engine has seen since the one before, and lets it be seen again. Contexts are of the whole
process.
"""

import sys

__all__ = ["switch", "switch_samples"]


def switch(label: str) -> None:
    """Give all that runs in this process from now on, samples too, the context `label` ("" is none).

    Does nothing when the process is not measured. Forked children go on in the context.
    """
    core = sys.modules.get("footfall._core")
    if core is not None:
        core.context_switch(label)
        return
    recorder = sys.modules.get("footfall.observe.pure_recorder")
    if recorder is not None:
        recorder.switch_context(label)


def switch_samples(label: str) -> None:
    """Give samples from now on the context `label`; what runs goes on into the present one. Costs next to nothing."""
    core = sys.modules.get("footfall._core")
    if core is not None:
        core.context_switch_samples(label)
