"""Work permits."""
