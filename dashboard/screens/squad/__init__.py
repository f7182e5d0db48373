"""The squad's phone."""
