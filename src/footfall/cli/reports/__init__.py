"""The commands that report."""
