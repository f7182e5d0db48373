"""The handover sheet."""
