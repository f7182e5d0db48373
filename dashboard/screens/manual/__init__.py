"""The manual: one page for each role, in both languages."""
