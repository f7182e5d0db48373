"""Rosters: the week of every squad, and who was on duty when."""
