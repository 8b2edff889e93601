"""The types that begin and end blocks, in C with the C core."""

from footfall.tier import HAS_CORE

if HAS_CORE:
    from footfall._core import CaptureBlock, CaptureGate, CaptureSeries
else:
    from footfall.observe.pure.capture_blocks import (  # type: ignore[assignment]
        CaptureBlock,
        CaptureGate,
        CaptureSeries,
    )

__all__ = ["CaptureBlock", "CaptureGate", "CaptureSeries"]
