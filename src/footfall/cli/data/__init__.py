"""The commands that look after data files."""
