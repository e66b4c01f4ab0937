"""Polls an existing table by a column that only grows. Never writes, locks or alters anything."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import sqlalchemy
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.database import Database
from connectors.database_values import DatabaseText
from connectors.errors import BlockedError, ConfigurationError
from connectors.source import Batch, CheckpointReader
from connectors.sql.reading import RowReader
from connectors.sql.table import SqlTable
from connectors.sql.transactions import transactions_of
from connectors.sql.translate import record_of
from connectors.sql.window import MOST_SEEN, SqlWindow
from contracts import visible_logger

_LOG = visible_logger("govbus.connectors.sql")
INSPECT_SECONDS = 5.0
"""How long a source may take to notice that a table has got a column."""


def _now() -> datetime:
    return datetime.now(UTC)


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
        settle_seconds: How late a transaction may commit behind a later one; on PostgreSQL, how long after it
            took a number or a time it may begin to write.
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
        now: The current time, aware.
    """

    Options = SqlOptions
    guarantee: ClassVar[str] = (
        "every committed row whose position is not null, at least once with the same event id; on PostgreSQL "
        "however late it commits, elsewhere within settle_seconds of a higher one"
    )

    def __init__(
        self,
        options: SqlOptions,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.poll_seconds = options.poll_seconds
        self._options = options
        self._clock = clock
        self._now = now
        self._name = (
            options.table if options.schema_name is None else f"{options.schema_name}.{options.table}"
        )
        self._database = Database(options.url, self._name, any_value=True)
        self._window = SqlWindow(options.settle_seconds)
        self._table: SqlTable | None = None
        self._inspected_at = 0.0
        self._wanted: frozenset[str] | None = None
        self._columns: frozenset[str] | None = None
        self._read_before: frozenset[str] = frozenset()
        self._was_full = False

    async def connect(self, checkpoints: CheckpointReader) -> None:
        """Resume from the last checkpoint; see `Source.connect`."""
        checkpoint = await checkpoints.load()
        try:
            self._window = SqlWindow.resume(self._options.settle_seconds, checkpoint)
            self._read_before = frozenset(() if checkpoint is None else checkpoint.get("columns", ()))
        except (KeyError, TypeError, ValueError):
            raise ConfigurationError(
                f"the checkpoint does not fit table `{self._name}`",
                "another connector wrote it",
                "give this connector a name of its own",
            ) from None
        self._table = None

    def keep_columns(self, names: frozenset[str]) -> None:
        """Read no other columns than these, the position and the key; see `Source`."""
        self._wanted = names

    def read(self) -> Batch | None:
        """The next rows; see `Source.read`."""
        window = self._window
        with self._database.connect() as connection:
            table = self._inspected(connection)
            window.mark(self._highest(connection, table), self._clock())
            window.set_horizon(self._clock(), transactions_of(connection))
            limit = self._options.batch_size + len(window.seen)
            rows = RowReader(connection, table, window.horizon).rows(window.low, limit)
        found = [row.found for row in rows]
        taken = window.take(found, self._options.batch_size, complete=len(found) < limit)
        if not taken:
            self._tell_if_full()
            return None
        records = tuple(record_of(rows[index].values, found[index].position, self._name) for index in taken)
        return Batch(records, {**window.checkpoint(), "columns": list(table.columns)})

    def check(self) -> None:
        """Reach the database and compare the options with the table; see `Source.check`."""
        with self._database.connect() as connection:
            table = self._inspected(connection)
            has_nulls = connection.execute(table.without_position()).first() is not None
        if has_nulls:
            raise ConfigurationError(
                f"column `{self._options.position}` of `{self._name}` holds nulls",
                "a row without a position is never read",
                "choose another column or fill it",
            )

    def close(self) -> None:
        """Close every connection; see `Source.close`."""
        self._database.close()

    def _inspected(self, connection: sqlalchemy.Connection) -> SqlTable:
        """The table as it is now, or was within the last `INSPECT_SECONDS`."""
        now = self._clock()
        if self._table is not None and now - self._inspected_at < INSPECT_SECONDS:
            return self._table
        options = self._options
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
        order = (options.position, *rest)
        self._notice(columns)
        read = [name for name in columns if self._wanted is None or name in self._wanted or name in order]
        self._table = SqlTable(options.table, options.schema_name, order, read)
        self._columns, self._inspected_at = frozenset(columns), now
        return self._table

    def _notice(self, columns: Sequence[str]) -> None:
        """Tell which columns have come or gone; raise `BlockedError` if the file reads one that is gone."""
        known = self._columns or frozenset()
        gone = sorted((known | self._read_before).difference(columns))
        lost = [name for name in gone if self._wanted is not None and name in self._wanted]
        if lost:
            raise BlockedError(
                f"Expected column `{lost[0]}` in `{self._name}`, which the mapping reads, found that it has "
                "vanished - restore it, or take it out of the mapping"
            )
        for name in gone:
            _LOG.warning("column `%s` of `%s` has vanished", name, self._name)
        for name in columns if known else ():
            if name not in known:
                is_read = self._wanted is None or name in self._wanted
                what = "it is read from now on" if is_read else "the mapping does not read it"
                _LOG.warning("column `%s` of `%s` has appeared; %s", name, self._name, what)

    def _tell_if_full(self) -> None:
        is_full = self._window.is_full
        if is_full and not self._was_full:
            what = "no more are read until a transaction ends that is open, or `settle_seconds` are over"
            _LOG.warning("%d rows of `%s` may have others behind them: %s", MOST_SEEN, self._name, what)
        self._was_full = is_full

    def _highest(self, connection: sqlalchemy.Connection, table: SqlTable) -> Any:
        """The highest position that no clock is likely to pass soon.

        A row of the year 2999, or of `infinity`, would make all others that still come look late.
        """
        highest = connection.execute(table.highest()).scalar()
        if not isinstance(highest, date | DatabaseText):
            return highest
        tomorrow = self._now() + timedelta(days=1)
        if isinstance(highest, datetime) and highest.tzinfo is not None:
            is_later = highest > tomorrow
        else:
            is_later = isinstance(highest, DatabaseText) or str(highest) > str(tomorrow.replace(tzinfo=None))
        if not is_later:
            return highest
        return connection.execute(table.highest(until=tomorrow.replace(tzinfo=None).isoformat(" "))).scalar()
