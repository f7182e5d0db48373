"""People are told once, and provably: who is told what, on which channel, and what became of it."""
