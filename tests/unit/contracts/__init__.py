"""Tests: unit/contracts."""
