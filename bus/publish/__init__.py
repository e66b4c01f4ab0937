"""From data to an acknowledged receipt."""
