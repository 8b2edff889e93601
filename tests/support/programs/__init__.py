"""Programs that tests run: generated at random, and tables of constructs."""
