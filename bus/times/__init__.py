"""Time as values: the broker's clock, pauses between attempts, the times of a group, days of a sunset."""
