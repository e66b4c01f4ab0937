"""Tests: grants."""
