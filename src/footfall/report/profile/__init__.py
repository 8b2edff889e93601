"""Profiles in each of their formats, one file for each."""
