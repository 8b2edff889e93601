"""Profiles of other tools in binary formats."""
