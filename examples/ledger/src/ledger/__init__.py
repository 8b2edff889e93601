"""Plain-text accounting: read a journal, add it up, check it against the bank's statement."""
