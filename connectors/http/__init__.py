"""A legacy system that takes JSON over HTTP."""

from connectors.http.sink import HttpOptions, HttpSink

__all__ = ["HttpOptions", "HttpSink"]
