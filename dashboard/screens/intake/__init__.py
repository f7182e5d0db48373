"""What comes in beside alarms: the form, what callers are owed, and what the public sent."""
