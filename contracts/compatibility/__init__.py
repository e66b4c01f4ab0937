"""Whether a change of a schema breaks a reader: no I/O."""
