"""The queries over one table: rows in the order of their positions, each column named with its table.

A column named without its table would be a text in SQLite where it has vanished. Values are untyped: they are
the driver's, and a text is compared as what its column holds, such as `infinity` with a time.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from connectors.sql.translate import Position


class SqlTable:
    """A table, as far as it is read.

    Args:
        name: Its name.
        schema: Its schema, None for the connection's own.
        order: The position column, then the key columns.
        columns: The columns to read.
    """

    def __init__(self, name: str, schema: str | None, order: Sequence[str], columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        names = dict.fromkeys((*order, *columns))
        self._table = sqlalchemy.table(name, *map(sqlalchemy.column, names), schema=schema)
        self._order: list[ColumnElement[Any]] = [self._table.c[each] for each in order]
        self.depth = len(self._order)

    def rows(
        self,
        limit: int,
        *,
        low: Position | None,
        horizon: Any,
        until: Position | None = None,
        columns: Sequence[str] | None = None,
    ) -> sqlalchemy.Select[Any]:
        """Rows after `low`, up to and with `until`: their positions, whether they are settled, their columns.

        Args:
            limit: Most rows.
            low: A position, None for the beginning.
            horizon: The highest settled value of the position column, None while there is none.
            until: A position, None for the end.
            columns: Columns to read, all of the table's when absent.
        """
        wanted = [self._table.c[each] for each in (self.columns if columns is None else columns)]
        settled: ColumnElement[Any] = sqlalchemy.literal(0)
        if horizon is not None:
            settled = sqlalchemy.case((self._order[0] <= _bound(horizon), 1), else_=0)
        query = sqlalchemy.select(*self._order, settled, *wanted).where(self._order[0].is_not(None))
        if low is not None:
            query = query.where(self._after(low))
        if until is not None:
            query = query.where(sqlalchemy.not_(self._after(until)))
        return query.order_by(*self._order).limit(limit)

    def one(self, column: str, place: Position, *, as_text: bool = False) -> sqlalchemy.Select[Any]:
        """One column of the row at a place."""
        wanted: ColumnElement[Any] = self._table.c[column]
        wanted = sqlalchemy.cast(wanted, sqlalchemy.Text) if as_text else wanted
        same = (column == _bound(part) for column, part in zip(self._order, place, strict=True))
        return sqlalchemy.select(wanted).where(*same)

    def highest(self, until: Any = None) -> sqlalchemy.Select[Any]:
        """The highest value of the position column, of those up to `until` if that is given."""
        query = sqlalchemy.select(sqlalchemy.func.max(self._order[0]))
        return query if until is None else query.where(self._order[0] <= _bound(until))

    def without_position(self) -> sqlalchemy.Select[Any]:
        """A row whose position is null."""
        return sqlalchemy.select(sqlalchemy.literal(1)).where(self._order[0].is_(None)).limit(1)

    def _after(self, low: Position) -> ColumnElement[bool]:
        """Rows after `low`, column by column, since not every database compares rows."""
        ties: list[ColumnElement[bool]] = []
        for depth, column in enumerate(self._order):
            equal = [self._order[index] == _bound(low[index]) for index in range(depth)]
            ties.append(sqlalchemy.and_(*equal, column > _bound(low[depth])))
        return sqlalchemy.or_(*ties)


def _bound(part: Any) -> ColumnElement[Any]:
    return sqlalchemy.literal(part, NullType()) if isinstance(part, str) else sqlalchemy.literal(part)
