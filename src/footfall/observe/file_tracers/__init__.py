"""Files that plugins of coverage.py measure: templates, and sources of other languages."""
