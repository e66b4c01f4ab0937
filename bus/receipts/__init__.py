"""One record per publish and per delivery: its form, and writing it."""
