"""A repeatable city: the same seed and the same start give the same messages."""
