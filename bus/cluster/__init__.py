"""Topics, access rights and the registry topic: what a catalogue wants of a cluster, and the change to it."""
