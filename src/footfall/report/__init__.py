"""Results to bytes: coverage, profiles and the site, one file for each format."""
