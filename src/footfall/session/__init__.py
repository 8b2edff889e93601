"""Measuring a command from start to summary: what `run`, `attach`, the API and the pytest plugin share."""
