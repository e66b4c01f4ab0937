"""What the registry and the console have in common as web servers."""
