"""Messages that were refused."""
