"""Coverage reports, one file for each format."""
