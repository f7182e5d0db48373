"""Registers of a city: definitions, entries, inspections, draws."""
