"""Formats on disk: the run directory and the data file."""
