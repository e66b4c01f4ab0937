"""Exports of a catalogue: AsyncAPI, Open Data Contract Standard, CloudEvents types."""
