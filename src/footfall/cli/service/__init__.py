"""The commands for other programs: editors, scripts and agents."""
