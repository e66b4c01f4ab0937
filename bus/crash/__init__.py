"""The crash kit: faults made on purpose, to prove what the bus promises."""
