"""Events in an agency's own database transaction: the outbox, and the record of handled events."""
