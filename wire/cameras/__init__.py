"""Cameras and the applications on them: what their analytics report."""
