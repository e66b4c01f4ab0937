"""From a record to its outcome: handlers, retries, offsets, transactions."""
