"""From source text to statements, exclusions, possible arcs and regions."""
