"""What stands in for the C core on PyPy, in Python."""
