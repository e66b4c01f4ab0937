"""Tests of the crash kit without a broker."""
