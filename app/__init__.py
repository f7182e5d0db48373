"""Processes: the only place that reads the environment and builds things."""
