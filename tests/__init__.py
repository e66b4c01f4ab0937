"""Tests of govbus."""
