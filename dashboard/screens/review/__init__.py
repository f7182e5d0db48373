"""Video events, one after the other, for a person's verdict."""
