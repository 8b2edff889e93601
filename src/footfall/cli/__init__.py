"""The command line: its commands by what they do."""
