"""The command line: its commands, grouped by what they do."""
