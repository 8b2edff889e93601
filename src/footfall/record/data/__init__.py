"""The data file: coverage.py's tables and footfall's own, and combining many files."""
