"""Profiles of other tools that are records of bytes."""
