"""Conversions between versions of a contract."""
