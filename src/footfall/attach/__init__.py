"""Other processes: finding their interpreter, reading their stacks, recording them."""
