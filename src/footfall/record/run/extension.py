"""The C extension that decodes records of CPython 3.14 and later, or None if there is none."""

from footfall.tier import HAS_CORE

if HAS_CORE:
    from footfall import _decode as decode
else:
    decode = None  # type: ignore[assignment]

__all__ = ["decode"]
