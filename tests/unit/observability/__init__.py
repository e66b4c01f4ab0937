"""Tests: unit/observability."""
