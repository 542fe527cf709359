"""Searches for the frontier of energy and accuracy: `python -m tuning --help`."""
