"""The three servers: how each is made, started, asked and stopped."""
