"""From samples to trees of calls and tables of times."""
