"""Lighting: lamps now, commands, programmes, nights."""
