"""What a dead letter looks like: the original bytes and headers, and beside them why it lies here. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from bus.outcome import DeadLetter
from bus.record import Headers, Record
from bus.topics import MAX_RECORD_BYTES

PREFIX = "govbus-dead-letter-"
"""Every header the bus adds begins with it; all others are the event's own."""

RECORD_BYTES, HEADER_BYTES = 256, 16
"""What a record and a header take at most beside their bytes."""


@dataclass(frozen=True, slots=True)
class DeadLetterRecord:
    """A record ready for the dead-letter topic."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def fits(self) -> bool:
        """Whether the dead letters take it: a transaction in which a record is refused is lost."""
        headers = sum(HEADER_BYTES + len(name.encode()) + len(value or b"") for name, value in self.headers)
        return RECORD_BYTES + len(self.key or b"") + len(self.value or b"") + headers <= MAX_RECORD_BYTES


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
) -> DeadLetterRecord:
    """Return the dead letter of a delivered record; null and binary headers stay as they are.

    Of a record that the dead letters do not take whole it leaves the data out, and of one whose key and
    headers are too large these as well.

    Args:
        record: the record as it was read.
        verdict: reason, and one sentence without data.
        subscription: the subscription that could not take it.
        stage: the step of the pipeline that said so.
        attempts: how often it was tried.
        first_us: broker time of the first attempt, in microseconds since the epoch.
        last_us: broker time of the last attempt.
        held: whether later events of its key wait for an operator's decision.
    """
    where = {
        "topic": record.topic,
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
    letter = DeadLetterRecord(record.key, record.value, (*record.headers, *added))
    if not letter.fits:
        letter = without_value(letter)
    return letter if letter.fits else without_value(DeadLetterRecord(None, None, tuple(added)))


def without_value(letter: DeadLetterRecord) -> DeadLetterRecord:
    """Return a letter that says where the bytes lie instead of holding them: no topic takes them whole."""
    omitted = "larger than the dead letters take; it lies at its topic, partition and offset until it expires"
    added = (f"{PREFIX}omitted", omitted.encode())
    return DeadLetterRecord(letter.key, None, (*letter.headers, added))


def explain(reason: str, stage: str, detail: str, where: Mapping[str, str]) -> Headers:
    """Return the headers that say why and where; empty values are left out."""
    facts = {"reason": reason, "stage": stage, "detail": detail, **where}
    return [(f"{PREFIX}{name}", text.encode()) for name, text in facts.items() if text]
