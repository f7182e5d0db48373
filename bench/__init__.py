"""Repeatable measurements, with peers in the same run."""
