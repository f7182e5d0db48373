"""The past of the demonstration city: what happened in it day by day, from one seed."""
