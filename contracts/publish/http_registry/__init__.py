"""A catalogue over HTTP, read-only, in the words of Confluent's Schema Registry: its clients can read it."""
