"""C stacks of samples: to functions of the program's own extensions, after the run."""
