"""Pure functions from recorded data and source text to results."""
