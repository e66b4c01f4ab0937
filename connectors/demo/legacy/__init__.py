"""Five systems that were there before the bus and that nobody may change.

They have tables, files and endpoints, know nothing of events or Kafka, and import no room of this project:
`python legacy/__main__.py CONFIG` runs them in a process that loads none either.
"""
