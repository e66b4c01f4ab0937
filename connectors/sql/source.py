"""Polls an existing table by a column that only grows. Never writes, locks or alters anything."""

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import sqlalchemy
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy.sql.elements import ColumnElement

from connectors.database import Database
from connectors.errors import ConfigurationError
from connectors.source import Batch, CheckpointReader
from connectors.sql.translate import Position, record_of
from connectors.sql.window import FoundRow, SqlWindow


class SqlOptions(BaseModel):
    """The `source:` section of a file whose connector is `sql`.

    Attributes:
        url: A SQLAlchemy address. Give the password as `${ENV:NAME}`.
        table: The table or view.
        schema_name: Its schema, written `schema:`.
        position: A column that only grows: a number that the database gives, or a time of change.
        key: Columns that distinguish rows with the same position; the primary key when absent.
        batch_size: Most rows per batch.
        poll_seconds: How long to wait when nothing is new.
        settle_seconds: How long a transaction may stay open behind a later one and still be read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    url: SecretStr
    table: str = Field(min_length=1)
    schema_name: str | None = Field(default=None, alias="schema")
    position: str = Field(min_length=1)
    key: list[str] | None = None
    batch_size: int = Field(default=500, ge=1, le=10_000)
    poll_seconds: float = Field(default=1.0, gt=0, le=86_400)
    settle_seconds: float = Field(default=5.0, ge=0, le=3_600)


class SqlSource:
    """Rows of a table, in the order of a column that only grows.

    The checkpoint is the window described in `connectors/sql/window.py`. A row's identity is its table, its
    position and its key, so an updated row is a new record only if its position grows with the update.

    Args:
        options: The `source:` section.
        clock: Seconds on a clock that never goes back.
    """

    Options = SqlOptions
    guarantee: ClassVar[str] = (
        "every committed row at least once with the same event id, "
        "if it commits within settle_seconds of a higher one and its position is not null"
    )

    def __init__(self, options: SqlOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self.poll_seconds = options.poll_seconds
        self._options = options
        self._clock = clock
        self._name = (
            options.table if options.schema_name is None else f"{options.schema_name}.{options.table}"
        )
        self._database = Database(options.url, self._name, broken_text=True)
        self._window = SqlWindow(options.settle_seconds)
        self._columns: tuple[str, ...] = ()
        self._order: tuple[str, ...] = ()

    async def connect(self, checkpoints: CheckpointReader) -> None:
        """Resume from the last checkpoint; see `Source.connect`."""
        checkpoint = await checkpoints.load()
        try:
            self._window = SqlWindow.resume(self._options.settle_seconds, checkpoint)
        except (KeyError, TypeError, ValueError):
            raise ConfigurationError(
                f"the checkpoint does not fit table `{self._name}`",
                "another connector wrote it",
                "give this connector a name of its own",
            ) from None
        self._columns = ()

    def read(self) -> Batch | None:
        """The next rows; see `Source.read`."""
        if not self._columns:
            self._inspect()
        window = self._window
        window.set_horizon(self._clock())
        limit = self._options.batch_size + len(window.seen)
        with self._database.connect() as connection:
            rows = connection.execute(self._select(limit)).all()
            if window.settle_seconds > 0:
                window.mark(connection.execute(self._select_highest()).scalar(), self._clock())
        found = [FoundRow(self._position_of(row), bool(row[-1])) for row in rows]
        taken = window.take(found, self._options.batch_size, complete=len(found) < limit)
        if not taken:
            return None
        records = tuple(
            record_of(dict(zip(self._columns, rows[index], strict=False)), found[index].position, self._name)
            for index in taken
        )
        return Batch(records, window.checkpoint())

    def check(self) -> None:
        """Reach the database and compare the options with the table; see `Source.check`."""
        self._inspect()
        nulls = sqlalchemy.select(sqlalchemy.literal(1)).select_from(self._table())
        nulls = nulls.where(sqlalchemy.column(self._options.position).is_(None)).limit(1)
        with self._database.connect() as connection:
            has_nulls = connection.execute(nulls).first() is not None
        if has_nulls:
            raise ConfigurationError(
                f"column `{self._options.position}` of `{self._name}` holds nulls",
                "a row without a position is never read",
                "choose another column or fill it",
            )

    def close(self) -> None:
        """Close every connection; see `Source.close`."""
        self._database.close()

    def _inspect(self) -> None:
        options = self._options
        with self._database.connect() as connection:
            inspector = sqlalchemy.inspect(connection)
            columns = [column["name"] for column in inspector.get_columns(options.table, options.schema_name)]
            primary = inspector.get_pk_constraint(options.table, options.schema_name)["constrained_columns"]
        key = primary if options.key is None else options.key
        for name in (options.position, *key):
            if name not in columns:
                raise ConfigurationError(
                    f"no column `{name}` in `{self._name}`",
                    "position and key are read from every row",
                    f"write one of {', '.join(columns)}",
                )
        if not key:
            raise ConfigurationError(
                f"`{self._name}` has no primary key",
                "rows with the same position could not be distinguished",
                "name the columns that distinguish them under source.key",
            )
        rest = () if key == [options.position] else tuple(name for name in key if name != options.position)
        self._order = (options.position, *rest)
        self._columns = tuple(columns)

    def _table(self) -> sqlalchemy.TableClause:
        return sqlalchemy.table(self._options.table, schema=self._options.schema_name)

    def _select(self, limit: int) -> sqlalchemy.Select[Any]:
        """Columns are untyped: the values are the driver's, and no conversion can fail the batch."""
        order: list[ColumnElement[Any]] = [sqlalchemy.column(name) for name in self._order]
        settled: ColumnElement[Any] = sqlalchemy.literal(1 if self._options.settle_seconds == 0 else 0)
        if self._window.horizon is not None:
            settled = sqlalchemy.case((order[0] <= self._window.horizon, 1), else_=0)
        columns: list[ColumnElement[Any]] = [sqlalchemy.column(name) for name in self._columns]
        query = sqlalchemy.select(*columns, settled).select_from(self._table()).where(order[0].is_not(None))
        if self._window.low is not None:
            query = query.where(_after(order, self._window.low))
        return query.order_by(*order).limit(limit)

    def _select_highest(self) -> sqlalchemy.Select[Any]:
        return sqlalchemy.select(sqlalchemy.func.max(sqlalchemy.column(self._options.position))).select_from(
            self._table()
        )

    def _position_of(self, row: Sequence[Any]) -> Position:
        return tuple(row[self._columns.index(name)] for name in self._order)


def _after(order: Sequence[ColumnElement[Any]], low: Position) -> ColumnElement[bool]:
    """Rows after `low`, column by column, since not every database compares rows."""
    ties: list[ColumnElement[bool]] = []
    for depth, column in enumerate(order):
        equal = [order[index] == low[index] for index in range(depth)]
        ties.append(sqlalchemy.and_(*equal, column > low[depth]))
    return sqlalchemy.or_(*ties)
