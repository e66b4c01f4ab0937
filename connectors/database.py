"""A database that a source reads, through SQLAlchemy; what it says when it fails is never quoted."""

from pathlib import Path

import sqlalchemy
from pydantic import SecretStr
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from connectors.errors import ConfigurationError, NotConnectedError


def open_engine(url: SecretStr) -> sqlalchemy.Engine:
    """An engine over a database that is there; connects to nothing yet.

    Raises:
        ConfigurationError: SQLAlchemy cannot open such an address.
        NotConnectedError: It is a SQLite file that does not exist.
    """
    try:
        engine = sqlalchemy.create_engine(url.get_secret_value(), hide_parameters=True, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError):
        raise ConfigurationError(
            "url is not an address SQLAlchemy can open",
            "its form or its driver is missing",
            "write dialect://user:${ENV:PASSWORD}@host/database and install the driver",
        ) from None
    if engine.dialect.name == "sqlite":
        _refuse_missing_file(engine.url)
    return engine


def lost(table: str, error: SQLAlchemyError) -> NotConnectedError:
    """The error to raise when a database fails: the kind of fault only, for its message may quote a row."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    kind = type(cause).__name__ if code is None else f"{type(cause).__name__} {code}"
    return NotConnectedError(f"cannot read `{table}`: the database answered {kind}")


def _refuse_missing_file(url: sqlalchemy.URL) -> None:
    """SQLite would make an empty database where there is none."""
    file = url.database
    if file and file != ":memory:" and not file.startswith("file:") and not Path(file).exists():
        raise NotConnectedError("cannot read the database: its SQLite file does not exist (yet)")
