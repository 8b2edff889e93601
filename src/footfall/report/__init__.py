"""Results to bytes: one file for each output format."""
