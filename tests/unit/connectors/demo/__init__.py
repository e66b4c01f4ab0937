"""Tests: unit/connectors/demo."""
