"""What waits for a second person: exactly what would change, and the decision."""
