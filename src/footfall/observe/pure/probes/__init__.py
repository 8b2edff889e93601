"""Probes without the C core: their events, the hooks into CPython, marshalled code. PyPy's are in observe/pypy."""
