"""Registers: lists of the city, an entry, its inspection."""
