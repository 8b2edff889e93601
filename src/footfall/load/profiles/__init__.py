"""Profiles that other tools wrote, one file for each format; `read.py` finds out which it is."""
