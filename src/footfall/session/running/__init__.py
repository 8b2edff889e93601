"""A command while it runs: starting it, passing signals on, ending it at a limit; and which processes record."""
