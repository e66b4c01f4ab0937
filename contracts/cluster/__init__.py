"""What a catalogue asks of a Kafka cluster: the plan, its text, and the registry topic."""
