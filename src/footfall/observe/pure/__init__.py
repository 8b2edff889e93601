"""What replaces the C core, in Python: on PyPy, and on CPython without the core."""
