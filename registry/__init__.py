"""The registry of devices: imported from files, approved, replaced, put right, out of
service and back, retired."""
