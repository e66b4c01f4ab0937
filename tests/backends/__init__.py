"""The back ends that show what govbus tells of itself, run for real by `make backends`."""
