"""Tests: unit/bus."""
