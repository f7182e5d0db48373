"""Readings become alarms: rules, lifecycle and decisions are pure, steps and worker the shell."""
