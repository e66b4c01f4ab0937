"""A source that polls a table of a legacy system's database."""

from connectors.sql.source import SqlOptions, SqlSource

__all__ = ["SqlOptions", "SqlSource"]
