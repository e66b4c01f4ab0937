"""A dead letter on the wire: the original bytes and headers, and headers that say why. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from bus.batch_limits import RECORD_HEADERS, unread
from bus.envelope import MAX_ATTRIBUTE_BYTES
from bus.outcome import DeadLetter
from bus.record import Headers, Record
from bus.topics import MAX_RECORD_BYTES
from contracts import visible

PREFIX = "govbus-dead-letter-"
"""Prefix of the headers that the bus adds; all others are the event's own."""

RECORD_BYTES, HEADER_BYTES = 256, 16
"""Size limit of a record's and a header's overhead."""


TYPE, SERVICE, TRANSACTION = "type", "service", "transaction"
"""Facts of a dead letter of a source: the event that it should have become."""


@dataclass(frozen=True, slots=True)
class Intended:
    """The event that a record of a source should have become, as far as it is known.

    Attributes:
        type: Its type, `<subject>.v<major>`; empty if unknown.
        service: The service it belongs to.
        transaction: The transaction it would have continued or begun.
    """

    type: str = ""
    service: str | None = None
    transaction: str | None = None

    @property
    def facts(self) -> Mapping[str, str]:
        """What the headers of the dead letter say of it, as text that can always be written."""
        facts = {TYPE: self.type, SERVICE: self.service or "", TRANSACTION: self.transaction or ""}
        return {name: visible(text)[:MAX_ATTRIBUTE_BYTES] for name, text in facts.items()}


@dataclass(frozen=True, slots=True)
class DeadLetterRecord:
    """A record ready for the dead-letter topic."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def size_bytes(self) -> int:
        """Its size on the wire, at most."""
        headers = sum(HEADER_BYTES + len(name.encode()) + len(value or b"") for name, value in self.headers)
        return RECORD_BYTES + len(self.key or b"") + len(self.value or b"") + headers

    @property
    def fits(self) -> bool:
        """Whether the topic accepts it, and readers do; a refused record would fail its whole transaction."""
        return self.size_bytes <= MAX_RECORD_BYTES and len(self.headers) < RECORD_HEADERS


def dead_letter(
    record: Record,
    verdict: DeadLetter,
    *,
    subscription: str,
    stage: str,
    attempts: int,
    first_us: int,
    last_us: int,
    held: bool = False,
    topic_id: str = "",
) -> DeadLetterRecord:
    """Return the dead letter of a delivered record; null and binary headers stay as they are.

    If the record is too large for the dead letters the data is left out, and if key and headers are too large
    they are as well; so is all of a record that was not read.

    Args:
        record: the record as it was read.
        verdict: reason, and one sentence without data.
        subscription: the subscription that failed.
        stage: the stage that failed.
        attempts: how often it was tried.
        first_us: broker time of the first attempt, in microseconds since the epoch.
        last_us: broker time of the last attempt.
        held: whether later events of its key wait for an operator's decision.
        topic_id: of the topic that the record was read from.
    """
    where = {
        "topic": record.topic,
        "topic-id": topic_id,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "timestamp": str(record.timestamp),
        "subscription": subscription,
        "attempts": str(attempts),
        "first-us": str(first_us),
        "last-us": str(last_us),
        "error": verdict.error,
        "held": "yes" if held else "",
    }
    added = explain(verdict.reason, stage, verdict.detail, where)
    if unread(record.headers) is not None:
        return without_value(DeadLetterRecord(None, None, tuple(added)), "it was not read")
    letter = DeadLetterRecord(record.key, record.value, (*record.headers, *added))
    if not letter.fits:
        letter = without_value(letter)
    return letter if letter.fits else without_value(DeadLetterRecord(None, None, tuple(added)))


def without_value(letter: DeadLetterRecord, why: str = "too large for the dead letters") -> DeadLetterRecord:
    """Return a letter without the bytes, which says where they are."""
    omitted = f"{why}; it is at its topic, partition and offset until it expires"
    added = (f"{PREFIX}omitted", omitted.encode())
    return DeadLetterRecord(letter.key, None, (*letter.headers, added))


def origin_of(where: Mapping[str, str]) -> str:
    """Return the place of a source's record as `file:line` or `table:position`; empty if there is neither."""
    return ":".join(where[name] for name in ("file", "line", "table", "position") if where.get(name))


def explain(reason: str, stage: str, detail: str, where: Mapping[str, str]) -> Headers:
    """Return the headers with reason and place; empty values are left out, long ones cut.

    A dead letter is written whatever its text is: a name of a file may be no Unicode.
    """
    facts = {"reason": reason, "stage": stage, "detail": detail, **where}
    return [
        (f"{PREFIX}{name}", text[:MAX_ATTRIBUTE_BYTES].encode(errors="backslashreplace"))
        for name, text in facts.items()
        if text
    ]
