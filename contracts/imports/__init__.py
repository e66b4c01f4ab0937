"""First drafts of contracts: from nothing, from a schema, from sample data, from OpenAPI or AsyncAPI."""
