"""A command while it runs: started, its signals passed on, ended at a limit; and which processes record."""
