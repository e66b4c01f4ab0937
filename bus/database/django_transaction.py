"""A transaction of Django's own connection, as the outbox and the handled events write to it.

Law of this file: statements are built by SQLAlchemy and run by Django's cursor, in the transaction that
Django has open. Nothing here opens, ends or rolls back one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from bus.errors import UsageError

_DIALECTS: Mapping[str, Dialect] = {
    # Django's cursors take `%(name)s` for each of its databases.
    "postgresql": postgresql.dialect(paramstyle="pyformat"),  # type: ignore[no-untyped-call]
    "sqlite": sqlite.dialect(paramstyle="pyformat"),
}


class DjangoConnection(Protocol):
    """What is used of `django.db.connection`, or one of `django.db.connections`."""

    @property
    def vendor(self) -> str:
        """The database, such as `postgresql`."""

    @property
    def in_atomic_block(self) -> bool:
        """Whether it is inside `transaction.atomic()`."""

    @property
    def connection(self) -> Any:
        """The driver's connection."""

    def get_autocommit(self) -> bool:
        """Return whether each statement is committed by itself."""

    def cursor(self) -> Any:
        """Return a cursor."""


class DjangoTransaction:
    """Runs statements in the open transaction of a connection of Django.

    Args:
        connection: the connection.

    Raises:
        UsageError: it has no transaction open, or is one to another database than PostgreSQL and SQLite.
    """

    def __init__(self, connection: DjangoConnection) -> None:
        if connection.vendor not in _DIALECTS:
            raise UsageError(
                f"Expected a Django connection to PostgreSQL or SQLite, got one to {connection.vendor}"
            )
        if not connection.in_atomic_block and connection.get_autocommit():
            raise UsageError(
                "Expected a Django connection with a transaction, got one that commits each statement by "
                "itself. Call this inside `with transaction.atomic():`"
            )
        self.dialect = _DIALECTS[connection.vendor]
        self._connection = connection

    @property
    def driver(self) -> Any:
        """The driver's connection."""
        return self._connection.connection

    def execute(
        self,
        statement: ClauseElement,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> "Outcome":
        """Run a statement, once, or once for each of several sets of parameters."""
        rows = [parameters] if isinstance(parameters, Mapping) else [*(parameters or [])]
        named: dict[str, Any] = {"column_keys": [*rows[0]]} if rows else {}
        compiled = statement.compile(dialect=self.dialect, **named)
        with self._connection.cursor() as cursor:
            if not isinstance(compiled, SQLCompiler):  # it makes a table
                cursor.execute(str(compiled))
            elif len(rows) > 1:
                cursor.executemany(str(compiled), [self._given(compiled, row) for row in rows])
            else:
                cursor.execute(str(compiled), self._given(compiled, rows[0] if rows else {}))
            return Outcome(cursor.rowcount, cursor.fetchone() if cursor.description else None)

    def _given(self, compiled: SQLCompiler, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters as the driver takes them, such as times for SQLite."""
        given = compiled.construct_params(row)
        for bind, name in compiled.bind_names.items():
            encode = bind.type.dialect_impl(self.dialect).bind_processor(self.dialect)
            if encode is not None:
                given[name] = encode(given[name])
        return dict(given)


class Outcome:
    """What a statement did.

    Args:
        rowcount: how many rows it wrote.
        first: the first row that it read.
    """

    def __init__(self, rowcount: int, first: Sequence[Any] | None) -> None:
        self.rowcount = rowcount
        self._first = first

    def scalar(self) -> Any:
        """Return the first value of the first row; None if there is none."""
        return None if self._first is None else self._first[0]
