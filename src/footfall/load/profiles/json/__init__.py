"""Profiles of other tools in JSON formats."""
