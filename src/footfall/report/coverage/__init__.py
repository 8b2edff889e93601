"""Coverage in each of its formats, one file for each."""
