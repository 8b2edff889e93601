"""From probe events to lines and arcs."""
