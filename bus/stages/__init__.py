"""The steps of the way, one verb a file, each pure; `bus/pipeline.py` puts them in order."""
