"""Profile exports, one file for each format."""
