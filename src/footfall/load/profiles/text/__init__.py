"""Profiles of other tools in text formats."""
