"""The settings of a run and of its reports, read from coverage.py's own files and keys, then footfall's."""
