"""The files of a catalogue: reading, formatting, hashes, git."""
