"""Profiles that other tools wrote, one module for each format; `read.py` detects the format."""
