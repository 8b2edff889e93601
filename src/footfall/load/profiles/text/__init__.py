"""Profiles of other tools that are lines of text."""
