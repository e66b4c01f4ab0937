"""Events that could not be handled: their form, reading them again, redrive and discard."""
