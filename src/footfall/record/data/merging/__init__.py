"""Merges the tables of many data files into one, each kind of table by itself. combine.py calls them."""
