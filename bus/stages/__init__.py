"""The steps of the way, one verb a file; `bus/pipeline.py` puts them in order."""
