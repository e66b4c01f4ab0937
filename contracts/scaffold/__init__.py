"""First files of one's own: documents of a catalogue, programs and their tests, a connector, a country."""
