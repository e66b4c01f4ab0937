"""A database that a source reads, through SQLAlchemy. What it says when it fails is never quoted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError

from bus import text_fault
from connectors.database_values import DatabaseText
from connectors.errors import ConfigurationError, NotConnectedError


class Database:
    """The database of one table; opened when first needed.

    Args:
        url: Its SQLAlchemy address.
        table: The table's name, for messages.
        remedy: What to do where the table does not exist.
        any_value: Whether a value that Python cannot carry comes as text instead of an error: times such as
            `infinity` of PostgreSQL as `DatabaseText`, broken text of SQLite with surrogate escapes.
    """

    def __init__(
        self,
        url: SecretStr,
        table: str,
        *,
        remedy: str = "write both as the database does",
        any_value: bool = False,
    ) -> None:
        self._url = url
        self._table = table
        self._remedy = remedy
        self._any_value = any_value
        self._engine: sqlalchemy.Engine | None = None

    @contextmanager
    def connect(self) -> Iterator[sqlalchemy.Connection]:
        """A connection for a `with` block.

        Raises:
            ConfigurationError: SQLAlchemy cannot open it, the table does not exist, or it is not said
                in which encoding the texts are.
            NotConnectedError: The database fails; the message has the kind of fault, no text of the database.
        """
        self._engine = self._engine or self._opened()
        try:
            with self._engine.connect() as connection:
                yield connection
        except NoSuchTableError:
            raise ConfigurationError(
                f"no table `{self._table}` in the database",
                "the name or the schema differs, or it was not created yet",
                self._remedy,
            ) from None
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
            kind = type(cause).__name__ if code is None else f"{type(cause).__name__} {code}"
            raise NotConnectedError(f"cannot read `{self._table}`: the database answered {kind}") from None

    def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _opened(self) -> sqlalchemy.Engine:
        url = self._url.get_secret_value()
        try:
            engine = sqlalchemy.create_engine(url, hide_parameters=True, pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ImportError, ValueError):
            raise ConfigurationError(
                "url is not an address that SQLAlchemy can open",
                "its form is wrong or its driver is missing",
                "write dialect://user:${ENV:PASSWORD}@host/database and install the driver",
            ) from None
        event.listen(engine, "connect", _require_texts, insert=True)  # before SQLAlchemy reads a text
        if engine.dialect.name == "sqlite":
            _require_file(engine.url.database)
            if self._any_value:
                event.listen(engine, "connect", _keep_broken_text)
        if engine.driver == "psycopg" and self._any_value:
            event.listen(engine, "connect", _keep_odd_times)
        return engine


def _require_texts(connection: Any, _record: Any) -> None:
    if fault := text_fault(connection, reads_only=True):
        raise ConfigurationError("the database's texts cannot be read", *fault)


def _require_file(file: str | None) -> None:
    """SQLite would create an empty database where there is none."""
    if file and file != ":memory:" and not file.startswith("file:") and not Path(file).exists():
        raise NotConnectedError("cannot read the database: its SQLite file does not exist (yet)")


def _keep_broken_text(connection: Any, _record: Any) -> None:
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")


def _keep_odd_times(connection: Any, _record: Any) -> None:
    """Python has no `infinity`, no year before 1 or after 9999, and no hour 24; PostgreSQL has."""
    from psycopg import DataError  # noqa: PLC0415 - only who reads PostgreSQL loads its driver
    from psycopg.adapt import Loader  # noqa: PLC0415

    def tolerant(strict: type[Any]) -> type[Loader]:
        class TolerantLoader(Loader):
            def __init__(self, oid: int, context: Any = None) -> None:
                super().__init__(oid, context)
                self._strict = strict(oid, context)

            def load(self, data: Any) -> Any:
                try:
                    return self._strict.load(data)
                except DataError:
                    return DatabaseText(bytes(data).decode("utf-8", "backslashreplace"))

        return TolerantLoader

    for name in ("date", "timestamp", "timestamptz", "time", "timetz", "interval"):
        oid = connection.adapters.types[name].oid
        strict = connection.adapters.get_loader(oid, 0)
        if strict is not None:
            connection.adapters.register_loader(oid, tolerant(strict))
