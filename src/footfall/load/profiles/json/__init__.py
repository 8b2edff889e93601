"""Profiles of other tools that are JSON."""
