"""The rules of lint, one module for each kind of thing they look at."""
