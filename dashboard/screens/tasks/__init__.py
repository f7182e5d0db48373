"""Whose turn it is to look at a place."""
