"""What replaces the C core on PyPy, in Python."""
