"""Schemas as formulas, and the search for a value that keeps one: proof and refutation are built on it."""
