"""The stages of the pipeline, one verb a file; `bus/pipeline.py` has their order."""
