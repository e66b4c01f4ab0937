"""What an agency may read: which events, in which topics, for which purpose, and which fields of them."""
