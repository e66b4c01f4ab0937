"""Receipts of a small country, made by hand: what the bus would have written, without a bus."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from zlib import crc32

from bus import DeliveryReceipt, PublishReceipt
from contracts import Milestone, Service

SECOND = 1_000_000
MINUTE = 60 * SECOND
OFFSETS = 10_007
START = 1_790_000_000 * SECOND
"""2026-09-21, in microseconds since the epoch."""

BORN = "civil-registry.birth-registered"
RECORD = "health.record-opened"
NUMBER = "tax.taxpayer-number-assigned"
ALLOWANCE = "social-security.child-allowance-granted"

BIRTH = Service(
    name="birth-of-a-child",
    title="Birth of a child",
    description="From the registration of a birth to the first allowance.",
    category="family",
    owner="civil-registry",
    start=BORN,
    milestones=(
        Milestone(event=RECORD, after=BORN, deadline_seconds=30.0),
        Milestone(event=NUMBER, after=BORN, deadline_seconds=30.0),
        Milestone(event=ALLOWANCE, after=NUMBER, deadline_seconds=60.0),
    ),
    ends=(RECORD, ALLOWANCE),
    deadline_seconds=120.0,
    channels=("web", "counter"),
)
SERVICES = {BIRTH.name: BIRTH}
_unhurried = tuple(replace(each, deadline_seconds=None) for each in BIRTH.milestones)
UNHURRIED = {BIRTH.name: replace(BIRTH, milestones=_unhurried)}
"""The same service where only the whole has a deadline."""
COMMON: Mapping[str, Any] = {
    "version": "1.0",
    "service": BIRTH.name,
    "causation": None,
    "reason": None,
    "partition": 0,
    "started_at_us": START,
    "size_bytes": 200,
    "data_hash": "sha256:0",
}


def offset_of(at_us: int, transaction: str) -> int:
    """Return an offset that later events exceed and other transactions do not have."""
    return ((at_us - START) * OFFSETS + crc32(transaction.encode()) % OFFSETS) % 2**62


def published(subject: str, at_us: int, transaction: str = "case-1", **changes: object) -> PublishReceipt:
    """Return the receipt of one published event."""
    agency = subject.partition(".")[0]
    receipt = PublishReceipt(
        event_id=f"{transaction}:{subject}",
        source=f"urn:govbus:{agency}:records",
        type=f"{subject}.v1",
        agency=agency,
        transaction=transaction,
        outcome="published",
        topic=f"{subject}.v1",
        offset=offset_of(at_us, transaction),
        broker_time_us=at_us,
        recorded_us=at_us - 2_000,
        event_time_us=at_us - 5_000,
        skew_us=1_500,
        **COMMON,
    )
    return replace(receipt, **changes)  # type: ignore[arg-type] # a test names fields freely


def refused(subject: str, at_us: int, transaction: str = "case-1", **changes: object) -> PublishReceipt:
    """Return the receipt of an event the bus did not let in."""
    nowhere = {"topic": "", "partition": -1, "offset": -1, "started_at_us": 0}
    changes = {"outcome": "refused", "reason": "contract-violation", **nowhere, **changes}
    return published(subject, at_us, transaction, **changes)


def set_aside(agency: str, at_us: int, offset: int = 7, **changes: object) -> PublishReceipt:
    """Return the receipt of a record of a source that never became an event."""
    topic = f"{agency}.dead-letters"
    place = f"{topic}/0/{offset}"
    named = {"event_id": place, "type": "", "version": "", "service": None, "topic": topic, "offset": offset}
    told = {"outcome": "dead-letter", "reason": "malformed-record", "started_at_us": at_us}
    receipt = published(f"{agency}.none", at_us, place, **named, **told)
    return replace(receipt, **changes)  # type: ignore[arg-type] # a test names fields freely


def unreadable(to: str, at_us: int, offset: int = 9, **changes: object) -> DeliveryReceipt:
    """Return the receipt of a record in which agency `to` found no event it could read."""
    topic = f"{BORN}.v1"
    place = f"{topic}/0/{offset}"
    receipt = delivered(BORN, to, at_us, place, outcome="dead-letter", reason="malformed-envelope")
    nameless = replace(receipt, event_id=place, source="", type="", version="", service=None, offset=offset)
    return replace(nameless, started_at_us=at_us, **changes)  # type: ignore[arg-type] # a test names freely


def place_gone(to: str, at_us: int, offset: int = 9, **changes: object) -> DeliveryReceipt:
    """Return the receipt by which a subscription of agency `to` says that its place is gone."""
    place = f"{BORN}.v1/0/{offset}"
    receipt = delivered(BORN, to, at_us, place, outcome="displaced", reason="records-lost", attempt=0)
    nameless = replace(receipt, event_id=place, source="", type="", version="", service=None, offset=offset)
    return replace(nameless, finished_us=at_us + MINUTE, **changes)  # type: ignore[arg-type] # a test names fields freely


def delivered(
    subject: str,
    to: str,
    at_us: int,
    transaction: str = "case-1",
    *,
    queue_us: int = 4_000,
    handle_us: int = 20_000,
    **changes: object,
) -> DeliveryReceipt:
    """Return the receipt of one delivery of the event published at `at_us` to agency `to`."""
    receipt = DeliveryReceipt(
        event_id=f"{transaction}:{subject}",
        source=f"urn:govbus:{subject.partition('.')[0]}:records",
        type=f"{subject}.v1",
        agency=to,
        subscription=f"{subject}.v1",
        purpose="public-task",
        transaction=transaction,
        outcome="ack",
        attempt=1,
        topic=f"{subject}.v1",
        offset=offset_of(at_us, transaction),
        broker_time_us=at_us,
        received_us=at_us + queue_us,
        finished_us=at_us + queue_us + handle_us,
        skew_us=-2_500,
        **COMMON,
    )
    return replace(receipt, **changes)  # type: ignore[arg-type] # a test names fields freely


def whole_birth(
    transaction: str = "case-1", start_us: int = START, step_us: int = SECOND
) -> list[PublishReceipt | DeliveryReceipt]:
    """Return the receipts of a birth that went well: four events, `step_us` apart, three deliveries."""
    record, number, allowance = (start_us + step_us * step for step in (1, 2, 3))
    common = {"started_at_us": start_us}
    return [
        published(BORN, start_us, transaction, **common),
        delivered(BORN, "health", start_us, transaction, **common),
        delivered(BORN, "tax", start_us, transaction, **common),
        published(RECORD, record, transaction, **common),
        published(NUMBER, number, transaction, **common),
        delivered(NUMBER, "social-security", number, transaction, **common),
        published(ALLOWANCE, allowance, transaction, **common),
    ]
