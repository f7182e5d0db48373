"""One file a way out, each with a `send` that says what became of a message."""
