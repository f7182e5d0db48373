"""Lighting: commands to lamps until they are answered, programmes, and how the nights went."""
