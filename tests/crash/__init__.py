"""Crash trials of the project's own subscriber, which must keep its promises under every fault."""
