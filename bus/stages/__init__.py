"""The stages of the pipeline, one verb a file; `bus/stages/pipeline.py` has their order."""
