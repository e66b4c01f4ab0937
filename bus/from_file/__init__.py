"""Publishing the events of a file or pipe."""
