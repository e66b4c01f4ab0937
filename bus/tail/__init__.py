"""Looking at the events of a topic as they come."""
