"""From bytecode to branches and arcs."""
