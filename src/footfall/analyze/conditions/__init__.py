"""Condition coverage."""
