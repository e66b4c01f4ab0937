"""A real Apache Kafka on this machine, fetched and started by govbus."""
