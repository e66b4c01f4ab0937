"""Creates contracts: empty ones, or from a schema, sample data, OpenAPI or AsyncAPI."""
