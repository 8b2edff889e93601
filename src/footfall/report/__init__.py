"""Results to bytes: coverage, profiles and the site, each format a file."""
