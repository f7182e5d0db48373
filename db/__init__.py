"""All SQL and all Redis keys. Functions take the connection first, never commit, never read
the clock; the caller owns the transaction."""
