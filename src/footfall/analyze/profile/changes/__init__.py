"""What changed between two profiles, and how much of it is chance."""
