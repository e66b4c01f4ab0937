"""`govbus run`: an agency's program, in one process or several."""
