"""Findings in a catalogue, and in a change of it."""
