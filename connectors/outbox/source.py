"""Publishes the rows of an outbox and deletes them: a row that is there is not published yet.

A row is deleted only after Kafka has its event and a checkpoint says so; after a kill before that it is
published again with the same id. A row that is committed late is read when it appears. Rows are published by
position, which within a key is the order of commits (`bus/database/key_order.py`).
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import orjson
import sqlalchemy
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bus import OutboxEvent, RefusedError, outbox_table
from connectors.database import Database
from connectors.errors import ConfigurationError
from connectors.outbox.batch import PublishedRows
from connectors.source import Batch, CheckpointReader, EventRecord, MalformedRecord


class OutboxOptions(BaseModel):
    """The `source:` section of a file whose connector is `outbox`.

    Attributes:
        url: A SQLAlchemy address. Give the password as `${ENV:NAME}`.
        table: The outbox's table.
        schema_name: Its schema, written `schema:`.
        batch_size: Most events per batch.
        poll_seconds: How long to wait when nothing is new.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    url: SecretStr
    table: str = Field(default="govbus_outbox", min_length=1)
    schema_name: str | None = Field(default=None, alias="schema")
    batch_size: int = Field(default=2_000, ge=1, le=10_000)
    poll_seconds: float = Field(default=0.1, gt=0, le=86_400)


class OutboxSource:
    """Events of an outbox, in the order of its keys, deleted once Kafka has them.

    Args:
        options: The `source:` section.
    """

    Options = OutboxOptions
    brings_events: ClassVar[bool] = True
    guarantee: ClassVar[str] = (
        "every committed event at least once with the id it was added under, in order of commit per key"
    )

    def __init__(self, options: OutboxOptions) -> None:
        self.poll_seconds = options.poll_seconds
        self._options = options
        self._table = outbox_table(options.table, schema=options.schema_name)
        self._name = self._table.fullname
        remedy = "write both as the database does, or create it with `Outbox.table.create(engine)`"
        self._database = Database(options.url, self._name, remedy=remedy)
        self._published: PublishedRows | None = None

    async def connect(self, checkpoints: CheckpointReader) -> None:
        """Resume from the last batch; see `Source.connect`."""
        checkpoint = await checkpoints.load()
        try:
            self._published = None if checkpoint is None else PublishedRows.resume(checkpoint)
        except (KeyError, TypeError, ValueError):
            raise ConfigurationError(
                f"the checkpoint does not fit outbox `{self._name}`",
                "another connector wrote it",
                "give this connector a name of its own",
            ) from None

    def read(self) -> Batch | None:
        """The next events; see `Source.read`."""
        if self._published is not None:
            self._finish(self._published)
        with self._database.connect() as connection:
            rows = connection.execute(self._select(), {"most": self._options.batch_size}).all()
        if not rows:
            return None
        published = PublishedRows.of([(row[0], row[1]) for row in rows])
        records = tuple(self._record_of(row) for row in rows)
        return Batch(records, published.checkpoint(), acknowledge=lambda: self._delete(published))

    def check(self) -> None:
        """Reach the database and compare the table with an outbox; see `Source.check`."""
        with self._database.connect() as connection:
            inspector = sqlalchemy.inspect(connection)
            found = inspector.get_columns(self._options.table, self._options.schema_name)
        missing = {column.name for column in self._table.columns} - {column["name"] for column in found}
        if missing:
            raise ConfigurationError(
                f"`{self._name}` has no column {', '.join(f'`{column}`' for column in sorted(missing))}",
                "it is no outbox of this version",
                "create it with `Outbox.table.create(engine)`",
            )

    def close(self) -> None:
        """Close every connection; see `Source.close`."""
        self._database.close()

    def _select(self) -> sqlalchemy.Select[Any]:
        query = sqlalchemy.select(*self._table.columns).order_by(self._table.c.position)
        return query.limit(sqlalchemy.bindparam("most"))

    def _record_of(self, row: Sequence[Any]) -> EventRecord | MalformedRecord:
        where = {"table": self._name, "position": str(row[0])}
        try:
            event = OutboxEvent.read(row)
        except RefusedError as error:
            return MalformedRecord(orjson.dumps(list(row), default=str), str(error), where)
        return EventRecord({"event": event.subject, "data": event.draft.data}, row[1], where, event=event)

    def _finish(self, published: PublishedRows) -> None:
        """Delete the rows that a killed process published; if some are gone, publish the rest again."""
        found = sqlalchemy.select(self._table.c.position, self._table.c.id)
        found = found.where(self._in_run()).order_by(self._table.c.position)
        with self._database.connect() as connection:
            rows = [row for run in _bounds(published) for row in connection.execute(found, run)]
        if rows and PublishedRows.of([(row[0], row[1]) for row in rows]) == published:
            self._delete(published)
        self._published = None

    def _delete(self, published: PublishedRows) -> None:
        with self._database.connect() as connection, connection.begin():
            connection.execute(sqlalchemy.delete(self._table).where(self._in_run()), _bounds(published))

    def _in_run(self) -> sqlalchemy.ColumnElement[bool]:
        """The rows of a run: each position in it is one of the batch."""
        return self._table.c.position.between(sqlalchemy.bindparam("first"), sqlalchemy.bindparam("last"))


def _bounds(published: PublishedRows) -> list[dict[str, int]]:
    return [{"first": first, "last": first + count - 1} for first, count in published.runs()]
