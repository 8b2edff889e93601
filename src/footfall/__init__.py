"""footfall: what ran and where the time went, from one run of any command."""
