"""`python -m bus` is the command `govbus`, for programs that start it without its script."""

from bus.cli import main

main()
