"""From catalogue to Kafka cluster: the plan, its text, and the registry topic."""
