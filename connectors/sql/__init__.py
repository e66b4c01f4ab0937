"""A table of a legacy system's database, read where it stands."""

from connectors.sql.source import SqlOptions, SqlSource

__all__ = ["SqlOptions", "SqlSource"]
