"""From a foreign value to an event: mappings, conversions, code lists."""
