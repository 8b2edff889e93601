"""What begins and ends blocks, in C on CPython."""

import sys

if sys.implementation.name == "cpython":
    from footfall._core import CaptureBlock, CaptureGate, CaptureSeries
else:
    from footfall.observe.pypy.capture_blocks import (  # type: ignore[assignment]
        CaptureBlock,
        CaptureGate,
        CaptureSeries,
    )

__all__ = ["CaptureBlock", "CaptureGate", "CaptureSeries"]
