"""Readings and message numbers as columns: NumPy arrays of one record a row. Pure."""
