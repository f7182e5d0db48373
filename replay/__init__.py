"""What a city looked like at any of its events: the event log, folded."""
