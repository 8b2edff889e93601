"""Formats on disk: the run directory, record files, sample logs and the data file."""
