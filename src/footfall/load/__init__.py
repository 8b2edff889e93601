"""From a data file to what reports need, with a cache."""
