"""Handling again what lies in a window of time."""
