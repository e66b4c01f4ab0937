"""Checks of a catalogue, and of changes to it."""
