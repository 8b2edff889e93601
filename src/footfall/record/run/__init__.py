"""The run directory and the files that measured processes leave in it."""
