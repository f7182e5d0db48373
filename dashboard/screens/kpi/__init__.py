"""The leader's key figures."""
