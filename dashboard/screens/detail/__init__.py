"""One incident, as console and phone show it."""
