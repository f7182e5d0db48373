"""Alarms and reports become incidents, and incidents are closed inside their limits."""
