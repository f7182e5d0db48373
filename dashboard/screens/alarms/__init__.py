"""Alarms: what stands, what is muted, what is out of service, and how good the alarms are."""
