"""A connector file read into checked objects, with what it names in the environment and the contracts."""
