"""Reads rows so that one which cannot be read keeps back none of the others.

A query fails as a whole where the database or its driver fails on one value: `24:00`, a range up to
`infinity`, a number of 5,000 digits, bytes that are no text, a view that divides by zero. It is then halved
until the row is found, and of that row each column is read alone. What fails is an `UnreadValue`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy.exc import DataError, DBAPIError, NotSupportedError, SQLAlchemyError

from connectors.database_values import DatabaseText, UnreadValue
from connectors.sql.table import SqlTable
from connectors.sql.translate import Position
from connectors.sql.window import FoundRow

_OF_A_ROW = ("22", "38", "39", "P0", "XX001")
"""How SQLSTATEs begin that one row may cause: its values, a function over them, a broken page."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row that was found.

    Attributes:
        found: Its place.
        values: What was read of it, by the names of columns.
    """

    found: FoundRow
    values: dict[str, Any]


def blames_a_row(error: Exception) -> bool:
    """Whether a query may have failed because of what one row holds."""
    if not isinstance(error, SQLAlchemyError):  # of a driver, when it converts a value
        return isinstance(error, ValueError | ArithmeticError)
    if isinstance(error, DataError | NotSupportedError):
        return True
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return str(state or "").startswith(_OF_A_ROW)


class RowReader:
    """Reads rows over one connection.

    Args:
        connection: The connection.
        table: The table.
        horizon: The highest settled value of the position column, None while there is none.
    """

    def __init__(self, connection: sqlalchemy.Connection, table: SqlTable, horizon: Any) -> None:
        self._connection = connection
        self._table = table
        self._horizon = horizon

    def rows(self, low: Position | None, limit: int) -> list[TableRow]:
        """The first rows after a position, in order."""
        rows = self._try(low, None, limit)
        if rows is not None:
            return rows
        query = self._table.rows(limit, low=low, horizon=self._horizon, columns=())
        places = [self._found(row).position for row in self._connection.execute(query)]
        return list(self._halved(low, places))

    def _halved(self, low: Position | None, places: Sequence[Position]) -> Iterator[TableRow]:
        if not places:
            return
        rows = self._try(low, places[-1], len(places))
        if rows is not None:
            yield from rows
        elif len(places) == 1:
            yield from self._by_columns(low, places[0])
        else:
            half = len(places) // 2
            yield from self._halved(low, places[:half])
            yield from self._halved(places[half - 1], places[half:])

    def _try(self, low: Position | None, until: Position | None, limit: int) -> list[TableRow] | None:
        query = self._table.rows(limit, low=low, until=until, horizon=self._horizon)
        try:
            rows = self._connection.execute(query).all()
        except Exception as error:
            if not blames_a_row(error):
                raise
            self._connection.rollback()
            return None
        return [self._read(row) for row in rows]

    def _by_columns(self, low: Position | None, place: Position) -> Iterator[TableRow]:
        query = self._table.rows(1, low=low, until=place, horizon=self._horizon, columns=())
        for row in self._connection.execute(query).all():  # none if it was deleted meanwhile
            values = {column: self._one(column, place) for column in self._table.columns}
            yield TableRow(self._found(row), values)

    def _one(self, column: str, place: Position) -> Any:
        failed = ""
        for as_text in (False, True):
            try:
                value = self._connection.execute(self._table.one(column, place, as_text=as_text)).scalar()
            except Exception as error:
                if not blames_a_row(error):
                    raise
                self._connection.rollback()
                failed = failed or type(getattr(error, "orig", None) or error).__name__
            else:
                return UnreadValue(failed, value) if failed else value
        return UnreadValue(failed)

    def _read(self, row: Sequence[Any]) -> TableRow:
        values = zip(self._table.columns, row[self._table.depth + 1 :], strict=True)
        return TableRow(self._found(row), dict(values))

    def _found(self, row: Sequence[Any]) -> FoundRow:
        depth = self._table.depth
        position = tuple(str(part) if isinstance(part, DatabaseText) else part for part in row[:depth])
        return FoundRow(position, bool(row[depth]))
