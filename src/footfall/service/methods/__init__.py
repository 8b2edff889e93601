"""The service's methods, by subject. table.py names them all."""
