"""The registry of devices: imported from files, approved, replaced, out of service and back."""
