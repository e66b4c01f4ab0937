"""Whether everything about an event adds up: rows of its sources, offsets, receipts, and each subscriber."""
