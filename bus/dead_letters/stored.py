"""Dead letters as an operator sees them: the event, the reason, and what was done about it. Pure.

Law of this file: a letter never changes. Each act of an operator is a record of its own in the same topic,
kept as long as the letter; the latest act is the letter's state.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal, TypeAlias

import orjson

from bus import envelope
from bus.dead_letters.record import PREFIX, SERVICE, TRANSACTION, TYPE
from bus.errors import EnvelopeError
from bus.outcome import DISCARDED
from bus.parking.keys import ParkedEvent
from bus.parking.rows import REDRIVEN, ParkedRow, SubscriptionPartition, erase_row, write_row
from bus.receipts.receipts import DeliveryReceipt, record_name
from bus.record import Headers, Record, StoredRecord, TopicPartition
from bus.structured import read_envelope
from bus.topics import dead_letter_topic

ACT = "govbus-dead-letter-act"

What: TypeAlias = Literal["redrive", "discard"]
State: TypeAlias = Literal["open", "redriven", "discarded"]
STATES: Mapping[str, State] = {"redrive": "redriven", "discard": "discarded"}


@dataclass(frozen=True, slots=True)
class Act:
    """An operator's act on a letter.

    Attributes:
        what: `redrive` or `discard`.
        letter: Offset of the letter in its topic.
        by: The operator.
        why: The operator's reason; no data.
        at: When.
        edited: Whether the event was changed before it was redriven.
        hashes: SHA-256 of the original data and of the redriven data.
    """

    what: What
    letter: int
    by: str
    why: str
    at: str
    edited: bool = False
    hashes: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """One dead letter, and what was done about it."""

    agency: str
    offset: int
    timestamp: int
    """Broker time at which it was written, in milliseconds."""
    why: Mapping[str, str]
    """What the bus wrote with it: reason, stage, topic, partition, offset, attempts, ..."""
    key: bytes | None
    value: bytes | None
    headers: Headers
    """The event's own headers."""
    acts: tuple[Act, ...] = field(default=())

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return f"{self.agency}/{self.offset}"

    @property
    def state(self) -> State:
        """Its state after the latest act."""
        return STATES[self.acts[-1].what] if self.acts else "open"

    @property
    def subscription(self) -> str:
        """The subscription that failed; empty for a dead letter of a source."""
        return self.why.get("subscription", "")

    @property
    def topic_id(self) -> str:
        """The id of the topic that its event was read from."""
        return self.why.get("topic-id", "")

    @property
    def held(self) -> bool:
        """Whether later events of its key wait for an operator."""
        return self.why.get("held") == "yes" and self.state == "open"

    @property
    def set_aside_at(self) -> datetime:
        """When it was written, on the broker's clock."""
        return datetime.fromtimestamp(self.timestamp / 1000, UTC)

    def home(self) -> SubscriptionPartition | None:
        """Return the subscription and partition of its event; None if it never was an event."""
        try:
            place = TopicPartition(self.why["topic"], int(self.why["partition"]))
        except (KeyError, ValueError):
            return None
        return SubscriptionPartition(self.subscription, place) if self.subscription else None

    def event(self, value: bytes | None = None) -> StoredRecord | None:
        """Return the event as it was read, or with other data; None if its bytes are not here."""
        home, found = self.home(), self.value if value is None else value
        offset, timestamp = self.why.get("offset", ""), self.why.get("timestamp", "")
        if home is None or found is None or not offset.isdecimal():
            return None
        at = int(timestamp) if timestamp.isdecimal() else self.timestamp
        return StoredRecord(*home.partition, int(offset), at, self.key, found, tuple(self.headers))


def read_letters(agency: str, records: Iterable[Record]) -> list[StoredDeadLetter]:
    """Return the letters of an agency's topic, oldest first, each with what was done about it.

    A malformed act is ignored.
    """
    letters: dict[int, StoredDeadLetter] = {}
    for record in records:
        act = _act(record)
        if act is None:
            letters[record.offset] = _letter(agency, record)
        elif act.letter in letters:
            letter = letters[act.letter]
            letters[act.letter] = replace(letter, acts=(*letter.acts, act))
    return list(letters.values())


def discard_receipt(letter: StoredDeadLetter, at_us: int) -> DeliveryReceipt:
    """Return the receipt of a discarded event.

    Args:
        letter: of a subscription, or of a source: then its own place is its event id, and stands for its
            transaction if that is not known.
        at_us: when, in microseconds since the epoch on the broker's clock.
    """
    home = letter.home() or SubscriptionPartition("", TopicPartition(dead_letter_topic(letter.agency), 0))
    found = letter.why.get("offset", "") if letter.subscription else str(letter.offset)
    offset = int(found) if found.isdecimal() else letter.offset
    why = letter.why
    if letter.subscription:
        name = record_name(home.partition, offset, letter.topic_id)
    else:
        name = f"{home.partition.topic}/{home.partition.partition}/{offset}"
    identity: envelope.Identity = (name, "", why.get(TRANSACTION, name), why.get(SERVICE), None)
    attributes: Mapping[str, bytes] = {}
    if letter.subscription:
        with suppress(EnvelopeError, ValueError):
            attributes, identity = read_envelope(letter.headers, letter.value)
    event_id, source, transaction, service, causation = identity
    version = attributes.get(envelope.DATASCHEMA, b"").decode().rpartition(":")[2]
    type_ = attributes.get(envelope.TYPE, b"").decode() or why.get(TYPE, "")
    attempts, value = letter.why.get("attempts", ""), letter.value or b""
    return DeliveryReceipt(
        event_id, source, type_, version, letter.agency,
        letter.subscription, "", service, transaction or event_id, causation, DISCARDED,
        letter.why.get("reason"), int(attempts) if attempts.isdecimal() else 0, *home.partition, offset,
        letter.timestamp * 1000, letter.timestamp * 1000, at_us, at_us, 0, len(value),
        sha256(value).hexdigest(),
    )  # fmt: skip


def _letter(agency: str, record: Record) -> StoredDeadLetter:
    headers = list(record.headers)
    # The bus' own come last and begin with the reason, whatever a stranger's event calls his.
    reasons = [index for index, (name, _) in enumerate(headers) if name == f"{PREFIX}reason"]
    start = reasons[-1] if reasons else len(headers)
    why = {
        name.removeprefix(PREFIX): (value or b"").decode(errors="replace") for name, value in headers[start:]
    }
    return StoredDeadLetter(
        agency, record.offset, record.timestamp, why, record.key, record.value, tuple(headers[:start])
    )


def _act(record: Record) -> Act | None:
    if not record.headers or record.headers[-1][0] != ACT or len(record.headers) != 1:
        return None
    try:
        said = orjson.loads(record.headers[-1][1] or b"")
        what: What = {"redrive": "redrive", "discard": "discard"}[said["what"]]  # type: ignore[assignment]
        return Act(
            what, int(said["letter"]), str(said["by"]), str(said["why"]), str(said["at"]),
            bool(said["edited"]), (str(said["hashes"][0]), str(said["hashes"][1])),
        )  # fmt: skip
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def write_act(act: Act, edited: bytes | None) -> ParkedRow:
    """Return the record of an act; it holds the edited data, and the letter stays as it is."""
    said = {
        "what": act.what, "letter": act.letter, "by": act.by, "why": act.why, "at": act.at,
        "edited": act.edited, "hashes": act.hashes,
    }  # fmt: skip
    return ParkedRow(str(act.letter).encode(), edited, [(ACT, orjson.dumps(said))])


def hashes_of(letter: StoredDeadLetter, edited: bytes | None) -> tuple[str, str]:
    """Return the SHA-256 of a letter's data, and of what is redriven."""
    before = sha256(letter.value or b"").hexdigest()
    return before, before if edited is None else sha256(edited).hexdigest()


def redriven_row(letter: StoredDeadLetter, event: StoredRecord, writer: str) -> ParkedRow | None:
    """Return the row that lets the subscription that failed try an event again, in order."""
    home = letter.home()
    if home is None:
        return None
    first = letter.why.get("first-us", "")
    state = ParkedEvent(
        event.offset,
        first_us=int(first) if first.isdecimal() else 0,
        reason=REDRIVEN,
        topic_id=letter.topic_id,
    )  # due at once
    return write_row(home, state, event, writer)


def released_row(letter: StoredDeadLetter, writer: str) -> ParkedRow | None:
    """Return the row that lets the events behind a letter go on; None if it is no event."""
    home, offset = letter.home(), letter.why.get("offset", "")
    if home is None or not letter.held or not offset.isdecimal():
        return None
    return erase_row(home, letter.topic_id, int(offset), letter.key, writer)
