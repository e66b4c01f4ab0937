"""Converting one version's data into another's."""
