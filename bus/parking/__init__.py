"""Events of a failing key, kept in order until the key can be tried again."""
