"""From probe hits to lines and arcs."""
