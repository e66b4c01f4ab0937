"""A catalogue over HTTP, read-only, with the API of Confluent's Schema Registry."""
