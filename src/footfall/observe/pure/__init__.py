"""What stands in for the C core, in Python: on PyPy, and on CPython where there is no core."""
