"""The desk of the alarm rules."""
