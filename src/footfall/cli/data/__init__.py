"""The commands that manage data files."""
