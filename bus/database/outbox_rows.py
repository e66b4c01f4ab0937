"""An outbox's rows: written with the business rows, and read again as events.

    position | id | event | version | partition_key | occurred_at | data | attributes

`position` orders the rows of a key as their transactions commit. `data` is the event's JSON, as it
will travel.
`attributes` is a JSON object of the other fields: `service`, `transaction`, `subject`, and of the
event that caused it its `cause` (id), `startedat`, `traceparent` and `tracestate`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

import orjson
from sqlalchemy import BigInteger, Column, Identity, Integer, MetaData, String, Table, Unicode, UnicodeText
from sqlalchemy.dialects.mysql import LONGTEXT

from bus import envelope
from bus.draft import Draft
from bus.errors import EnvelopeError, NotJsonError
from bus.event import Event
from bus.publish.stampers import NUMBER
from bus.stages.stamp import MAX_KEY_BYTES, Stamp
from bus.trace_context import trace_context
from contracts import AmbiguousJsonError, read_event_json

TABLE = "govbus_outbox"
COLUMNS = ("position", "id", "event", "version", "partition_key", "occurred_at", "data", "attributes")
_TEXTS = frozenset((str,))


@dataclass(frozen=True, slots=True)
class _Cause:
    """The part of a causing event that publishing needs."""

    id: str
    transaction: str | None
    service: str | None
    started_us: int
    traceparent: str | None
    tracestate: str | None


class OutboxEvent(NamedTuple):
    """An event of an outbox; submitted twice to `Bus.submit`, it is the same event."""

    subject: str
    version: str
    draft: Draft
    cause: Event[Any] | None

    @classmethod
    def read(cls, row: Sequence[Any]) -> "OutboxEvent":
        """Return the event of a row.

        Args:
            row: the values of `COLUMNS`.

        Raises:
            NotJsonError: its data or attributes are not JSON, or readers would understand the data
                differently; the message has no value.
            EnvelopeError: a time in it is malformed.
        """
        _, event_id, subject, version, key, occurred_at, data, written = row
        try:
            content, attributes = read_event_json(data.encode()), orjson.loads(written) if written else {}
        except AmbiguousJsonError as error:
            raise NotJsonError(f"{error.fault} - at `data`") from None
        except ValueError:
            raise NotJsonError("Expected JSON in `data` and `attributes`, got other text") from None
        if not (isinstance(attributes, dict) and _TEXTS.issuperset(map(type, attributes.values()))):
            raise EnvelopeError("Expected a JSON object of texts - at `attributes`")
        said = attributes.get
        if not NUMBER.fullmatch(version):
            raise EnvelopeError("Expected a version such as `1.0` - at `version`")
        time = _moment(occurred_at, "occurred_at")
        service, transaction = said("service"), said("transaction")
        draft = Draft(content, key, event_id, time, service, transaction, said("subject"))
        cause_id = said("cause")
        if cause_id is None:
            return cls(subject, version, draft, None)
        started = envelope.moment_us(_moment(said("startedat") or occurred_at, "startedat"))
        context = trace_context(said("traceparent", "").encode(), said("tracestate", "").encode())
        cause = _Cause(cause_id, transaction, service, started, *(context or (None, None)))
        return cls(subject, version, draft, cast("Event[Any]", cause))


def _moment(text: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - as wrong as a time without a zone
    if moment.tzinfo is None:
        raise EnvelopeError(f"Expected a time such as `2026-01-31T09:30:00Z` - at `{name}`")
    return moment


def outbox_table(name: str = TABLE, metadata: MetaData | None = None, schema: str | None = None) -> Table:
    """Return the table of an outbox.

    Args:
        name: its name.
        metadata: where it is described, so that the program's own `create_all` makes it.
        schema: its schema.
    """
    metadata = metadata if metadata is not None else MetaData()
    return Table(
        name,
        metadata,
        # SQLite numbers only an INTEGER key, and must never give a number twice: rows are deleted.
        Column("position", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
        Column("id", Unicode(255), nullable=False),
        Column("event", Unicode(255), nullable=False),
        Column("version", String(16), nullable=False),
        Column("partition_key", Unicode(MAX_KEY_BYTES), nullable=True),
        Column("occurred_at", String(32), nullable=False),
        Column("data", UnicodeText().with_variant(LONGTEXT, "mysql", "mariadb"), nullable=False),
        Column("attributes", UnicodeText, nullable=True),
        schema=schema,
        keep_existing=True,
        sqlite_autoincrement=True,
    )


def row_of(subject: str, version: str, stamp: Stamp, key: bytes, value: bytes) -> Mapping[str, Any]:
    """Return the row of an event that keeps its contract; its position comes from the database."""
    said = {
        "service": stamp.service,
        "transaction": stamp.transaction,
        "subject": stamp.subject,
        "cause": stamp.causation,
        "startedat": None if stamp.started_us is None else envelope.time_bytes(stamp.started_us).decode(),
        "traceparent": stamp.traceparent,
        "tracestate": stamp.tracestate,
    }
    attributes = {name: value for name, value in said.items() if value is not None}
    return {
        "id": stamp.id,
        "event": subject,
        "version": version,
        "partition_key": key.decode(),
        "occurred_at": envelope.time_bytes(stamp.time_us).decode(),
        "data": value.decode(),
        "attributes": orjson.dumps(attributes).decode() if attributes else None,
    }
