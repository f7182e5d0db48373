"""Faults of every process of a real installation under load, and what came of each."""
