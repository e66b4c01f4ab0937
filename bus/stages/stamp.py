"""Stamp: the CloudEvents attributes of an event, as headers. Pure: time and ids are arguments."""

from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from bus import envelope
from bus.draft import Draft
from bus.errors import EnvelopeError
from bus.event import Event
from contracts import ContractVersion, Route, meant

NAME = "stamp"

MAX_KEY_BYTES = 256


ReceiptStamp = tuple[str, int, int, str | None, str | None, str | None, int | None]
"""Id, time of the event and of recording, transaction, causation and service, start of the transaction."""


class Stamp(NamedTuple):
    """The attributes of one event; times in microseconds since the epoch. A receipt says the first seven."""

    id: str
    time_us: int
    recorded_us: int
    transaction: str | None = None
    causation: str | None = None
    service: str | None = None
    started_us: int | None = None
    subject: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    derived_from: str | None = None
    """Id of the event in the newer version from which this one was derived."""

    def for_receipt(self) -> "ReceiptStamp":
        """Return what a receipt says of it.

        Of a plain tuple of text and numbers the garbage collector lets go; an event may wait for long.
        """
        return self[:7]


def stamp_of(
    draft: Draft,
    cause: Event[Any] | None,
    now_us: int,
    new_id: Callable[[], str],
    event_id: str | None = None,
) -> Stamp:
    """Return the stamp of an event to publish.

    Args:
        draft: the event.
        cause: the event that caused it; transaction, service and trace continue.
        now_us: the publisher's time, in microseconds since the epoch.
        new_id: makes an id, for the event and for a transaction that begins with it.
        event_id: the event's id, if it is known and not in the draft.
    """
    _, _, given_id, time, service, transaction, subject = draft
    if event_id is None:
        event_id = new_id() if given_id is None else given_id
    time_us = now_us if time is None else envelope.moment_us(time)
    if cause is None:
        if service is not None and transaction is None:
            transaction = new_id()
        return Stamp(event_id, time_us, now_us, transaction, None, service, None, subject)
    traceparent = cause.traceparent
    return Stamp(
        event_id, time_us, now_us,
        cause.transaction or cause.id if transaction is None else transaction,
        cause.id,
        cause.service if service is None else service,
        cause.started_us, subject, traceparent, cause.tracestate if traceparent else None,
    )  # fmt: skip


class Stamper:
    """Stamps the events of one contract version from one system; constant headers are encoded once."""

    def __init__(self, contract: ContractVersion, agency: str, system: str, topic: str) -> None:
        self.contract = contract
        self.topic = topic
        self.source = envelope.source_of(agency, envelope.require_system(system))
        self.subject = contract.contract.subject
        self.shared = (agency, self.source, contract.type, contract.number, topic)
        """The columns that the receipts of these events share."""
        self.ends_us = None if contract.sunset is None else _end_of(contract.sunset)
        """When the version is retired; None if no sunset is set."""
        self.services: Collection[str] = ()
        """The services that the catalogue knows; none if it knows nothing of services."""
        self.companions: tuple[Companion, ...] = ()
        """The older versions in which these events are published too."""
        self._fixed: tuple[tuple[str, bytes | None], ...] = (
            (envelope.SPECVERSION, envelope.SPEC_VERSION),
            (envelope.SOURCE, envelope.text_bytes("source", self.source)),
            (envelope.TYPE, contract.type.encode()),
            (envelope.DATASCHEMA, contract.dataschema.encode()),
            (envelope.CLASSIFICATION, contract.contract.classification.encode()),
            (envelope.CONTENT_TYPE, envelope.JSON),
            (envelope.SCHEMA_ID, b"\x01" + contract.guid.bytes),
        )

    def require_service(self, service: str | None, cause: Event[Any] | None) -> None:
        """Check a service that the program names; that of a cause is known to whoever began it.

        Raises:
            EnvelopeError: the catalogue does not have it.
        """
        if cause is None or service != cause.service:
            require_service(service, self.services)

    def headers(self, stamp: Stamp, key: bytes) -> list[tuple[str, bytes | None]]:
        """Return the record's headers.

        Args:
            stamp: its attributes.
            key: its partition key, see `key_bytes`.

        Raises:
            EnvelopeError: an attribute is empty, too long, or no text that CloudEvents allows.
        """
        event_id, time_us, recorded_us, transaction, causation, service, started_us, *rest = stamp
        subject, traceparent, tracestate, derived_from = rest
        recorded = envelope.time_bytes(recorded_us)
        headers: list[tuple[str, bytes | None]] = [
            *self._fixed,
            (envelope.ID, envelope.text_bytes("id", event_id)),
            (envelope.TIME, recorded if time_us == recorded_us else envelope.time_bytes(time_us)),
            (envelope.RECORDED_TIME, recorded),
            (envelope.PARTITION_KEY, key),
        ]
        if transaction is not None:
            headers.append((envelope.CORRELATION, envelope.text_bytes("correlationid", transaction)))
        if causation is not None:
            headers.append((envelope.CAUSATION, envelope.text_bytes("causationid", causation)))
        if service is not None:
            headers.append((envelope.SERVICE, envelope.text_bytes("service", service)))
        if started_us is not None:
            headers.append((envelope.STARTED_AT, envelope.time_bytes(started_us)))
        if subject is not None:
            headers.append((envelope.SUBJECT, envelope.text_bytes("subject", subject)))
        if derived_from is not None:
            headers.append((envelope.DERIVED_FROM, envelope.text_bytes("derivedfrom", derived_from)))
        if traceparent:
            headers += traced(traceparent, tracestate)
        return headers


def key_bytes(key: str) -> bytes:
    """Return a partition key as it travels.

    Raises:
        EnvelopeError: it is empty, too long, or no text that CloudEvents allows.
    """
    return envelope.text_bytes("partitionkey", key, MAX_KEY_BYTES)


class Companion(NamedTuple):
    """An older version in which an event is published too: its stamper, and the conversion of the data."""

    stamper: Stamper
    route: Route


def require_service(service: str | None, services: Collection[str]) -> None:
    """Check a service, if there is one, against those that a catalogue has.

    Raises:
        EnvelopeError: it does not have this one.
    """
    if service is None or service in services:
        return
    near = meant(str(service), services)
    remedy = (
        "`govbus contracts list` shows all"
        if services
        else "It has none: `govbus new service NAME` makes one"
    )
    raise EnvelopeError(f"Expected a service of the catalogue, got another{near} - at `service`. {remedy}")


def derived(stamp: Stamp, major: int) -> Stamp:
    """Return the stamp of an event in an older major version: another id, all else the same."""
    transaction = stamp.transaction or stamp.id
    return stamp._replace(id=f"{stamp.id}.v{major}", transaction=transaction, derived_from=stamp.id)


def _end_of(day: date) -> int:
    return envelope.moment_us(datetime.combine(day + timedelta(days=1), time(), UTC))


def traced(traceparent: str, tracestate: str | None) -> list[tuple[str, bytes | None]]:
    """Return the trace context as W3C headers and as CloudEvents' distributed-tracing extension."""
    parent = envelope.text_bytes("traceparent", traceparent)
    state = envelope.text_bytes("tracestate", tracestate) if tracestate else b""
    headers: list[tuple[str, bytes | None]] = [
        (envelope.TRACEPARENT, parent),
        (envelope.CE_TRACEPARENT, parent),
    ]
    if state:
        headers += [(envelope.TRACESTATE, state), (envelope.CE_TRACESTATE, state)]
    return headers
