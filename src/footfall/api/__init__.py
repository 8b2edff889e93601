"""Measuring from inside a program."""
