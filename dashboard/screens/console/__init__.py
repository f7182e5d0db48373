"""The dispatcher's console."""
