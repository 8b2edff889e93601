"""The C extension that works out records of CPython 3.14 and later, or None where there is none (PyPy)."""

try:
    from footfall import _decode as decode
except ImportError:
    decode = None  # type: ignore[assignment]

__all__ = ["decode"]
