"""JSON Schema: dialects, references, walking, validating, made-up data."""
