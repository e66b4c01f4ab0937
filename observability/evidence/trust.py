"""What the monitor believes of a receipt. Pure.

Law of this file: an agency speaks for itself alone. Kafka says who wrote a record, since only one agency may
write to a topic of receipts: of its own publishes it is believed, and of deliveries to itself. A word that is
not believed changes no number but the count of such words of its speaker.

When an event was published is what its publisher says, as far as the topic agrees: with the offsets that the
topic has around that time, which anybody may be told who may not read it. A broker stamps every record of
receipts, so that no word about the future is believed either.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from bus import DeliveryReceipt, PublishReceipt, agency_of
from observability.identity import AnyReceipt

Fault = Literal[
    "other-agency",
    "other-event",
    "no-such-offset",
    "wrong-time",
    "ahead-of-now",
    "before-cause",
    "contradiction",
]
"""Why a receipt is not believed.

`other-agency`: it is about a publish or a delivery of another agency. `other-event`: about an event, a dead
letter or a topic that is not the agency's. `no-such-offset`: the topic does not hold that offset.
`wrong-time`: at that time the topic had other offsets. `ahead-of-now`: it happened after its receipt was
written. `before-cause`: an event was handled before it was published, or published before the event that
caused it. `contradiction`: another receipt says otherwise of the same record.
"""
FAULTS: tuple[Fault, ...] = get_args(Fault)

Standing = Literal["confirmed", "unchecked", "undated", "uncheckable", "no-such-offset", "wrong-time"]
"""What a topic says of a publish.

`unchecked`: it could not be asked yet. `undated`: it holds that offset, and keeps the times that publishers
give, which say nothing. `uncheckable`: it holds the event no longer, or the broker told no offset of it.
"""

SECOND_US = 1_000_000
WINDOW_US = SECOND_US
"""A publish is placed in the second it claims, so that many are checked with few questions."""

SKEW_US = SECOND_US
"""By how much the clocks of one cluster's brokers may differ."""

AGENCY_SKEW_US = 60 * SECOND_US
"""By how much an agency's estimate of the broker's clock may be wrong."""

SAME_RECORD_US = 2 * WINDOW_US + SKEW_US
"""By how much two times may differ that a topic confirms of one offset; a topic made again takes longer."""

LONGEST_NAME = 100
"""Most letters that are kept of a name which a receipt that is not believed makes up."""

UNKNOWN_OFFSET = -1

OVERDUE_US = 24 * 3_600 * SECOND_US
"""A receipt written so long after what it reports must be confirmed: no outage lasts longer."""


@dataclass(frozen=True, slots=True)
class Word:
    """A receipt, who wrote it at which broker time in microseconds since the epoch, and where it is."""

    speaker: str
    receipt: AnyReceipt
    written_us: int
    place: tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A word that is not believed: whose, why, and whom it is about.

    `place` is the topic, partition and offset that tell it apart.
    """

    speaker: str
    fault: Fault
    place: tuple[str, int, int]
    about: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """The offsets of one partition around a time that a publish claims.

    It holds the offsets from `begin` up to `end`; `since` is the first one in the second claimed or later,
    `until` the first one after that second and the brokers' skew; both are `end` if there is none.
    """

    begin: int
    end: int
    since: int
    until: int


def whom(receipt: AnyReceipt, speaker: str) -> str:
    """Return whom a receipt is about: the first other agency that it names, else its speaker."""
    names = (
        receipt.agency,
        agency_of(receipt.source),
        *(each.partition(".")[0] for each in (receipt.topic, receipt.type)),
    )
    return next((name for name in names if name and name != speaker), speaker)[:LONGEST_NAME]


def fault_of(word: Word) -> Fault | None:
    """Return why a receipt is not believed whatever the topics say, None if nothing speaks against it."""
    if word.receipt.agency != word.speaker:
        return "other-agency"
    if isinstance(word.receipt, PublishReceipt):
        return _fault_of_publish(word.receipt, word.written_us)
    return _fault_of_delivery(word.receipt, word.written_us)


def _fault_of_publish(receipt: PublishReceipt, written_us: int) -> Fault | None:
    own = f"{receipt.agency}."
    if agency_of(receipt.source) != receipt.agency:
        return "other-agency"
    match receipt.outcome:
        case "published":
            # The type of an event is the name of its topic.
            sound, skew_us = receipt.type == receipt.topic and receipt.type.startswith(own), SKEW_US
        case "dead-letter":
            letters = receipt.topic == f"{own}dead-letters"
            sound, skew_us = letters and (not receipt.type or receipt.type.startswith(own)), SKEW_US
        case "refused":
            sound, skew_us = not receipt.topic and receipt.type.startswith(own), AGENCY_SKEW_US
    if not sound:
        return "other-event"
    if receipt.broker_time_us > written_us + skew_us:
        return "ahead-of-now"
    # No topic can be asked about what was refused.
    late = receipt.outcome == "refused" and receipt.broker_time_us < written_us - OVERDUE_US
    return "wrong-time" if late else None


def _fault_of_delivery(receipt: DeliveryReceipt, written_us: int) -> Fault | None:
    if not receipt.subscription and receipt.topic != f"{receipt.agency}.dead-letters":
        return "other-event"  # discarded by an operator, who has the letters of one agency
    if max(receipt.received_us, receipt.finished_us, receipt.broker_time_us) > written_us + AGENCY_SKEW_US:
        return "ahead-of-now"
    if receipt.finished_us < receipt.broker_time_us - AGENCY_SKEW_US:
        return "before-cause"
    return None


def is_checkable(receipt: AnyReceipt) -> bool:
    """Return whether a topic can say if the receipt is true: whether it names a place."""
    return isinstance(receipt, PublishReceipt) and receipt.outcome != "refused"


def window_us(broker_time_us: int) -> tuple[int, int]:
    """Return the times at which to ask a topic: from the second claimed, until after it and the skew."""
    since = broker_time_us - broker_time_us % WINDOW_US
    return since, since + WINDOW_US + SKEW_US


def standing_by_ends(offset: int, begin: int, end: int) -> Standing | None:
    """Return what a partition says of a publish whatever its time: None if it may hold that offset."""
    if offset == UNKNOWN_OFFSET:
        return None
    if not 0 <= offset < end:
        return "no-such-offset"
    return "uncheckable" if offset < begin else None


def standing_of(offset: int, bounds: Bounds) -> Standing:
    """Return what a partition says of a publish: that it holds the offset, with a time in that second.

    The offset is -1 where the broker confirmed a repeated batch and knew it no longer.
    """
    if (known := standing_by_ends(offset, bounds.begin, bounds.end)) is not None:
        return known
    if offset == UNKNOWN_OFFSET:
        return "uncheckable" if bounds.since < bounds.until else "wrong-time"
    return "confirmed" if bounds.since <= offset < bounds.until else "wrong-time"


def standing_by_time(offset: int, claim: tuple[int, int], at: int, first: int) -> Standing | None:
    """Return what one answer of a partition says of any publish: times grow with offsets.

    Args:
        offset: of the publish.
        claim: the times between which it claims to be.
        at: the time that the partition was asked about, in the same unit.
        first: the offset of its first record at that time or later.

    Returns:
        None where the answer leaves the claim open.
    """
    if offset == UNKNOWN_OFFSET:
        return None
    since, until = claim
    is_earlier, is_later = offset < first and at <= since, offset >= first and at >= until
    return "wrong-time" if is_earlier or is_later else None


def disbelief(standing: Standing, broker_time_us: int, written_us: int) -> Fault | None:
    """Return why a publish does not count: refuted by its topic, or overdue and not confirmed."""
    match standing:
        case "confirmed":
            return None
        case "unchecked" | "undated" | "uncheckable":
            return "wrong-time" if broker_time_us < written_us - OVERDUE_US else None
        case "no-such-offset" | "wrong-time":
            return standing


def is_before_publish(delivery: DeliveryReceipt, publish: PublishReceipt) -> bool:
    """Return whether a delivery claims to have ended before its event was published.

    A publisher that was killed before the receipt publishes its event again: then a delivery of another
    record is no lie, within a day, since no outage lasts longer.
    """
    early_us = publish.broker_time_us - delivery.finished_us
    if publish.outcome != "published" or early_us <= AGENCY_SKEW_US:
        return False
    return early_us > OVERDUE_US or not is_of_another_record(delivery, publish)


def is_of_another_record(delivery: DeliveryReceipt, publish: PublishReceipt) -> bool:
    """Return whether a delivery is of another record than the one which its event's publisher names."""
    return names_offset(publish) and _where(delivery) != _where(publish)


def _where(receipt: AnyReceipt) -> tuple[str, int, int]:
    return receipt.topic, receipt.partition, receipt.offset


def is_before_cause(
    effect: PublishReceipt, cause: PublishReceipt, heard: Iterable[DeliveryReceipt] = ()
) -> bool:
    """Return whether an event claims to have been published before the one that caused it.

    What the cause's publisher can say falsely of its own time makes nobody else a liar: its topic confirms
    the time to a second, and nothing where the offset is not known. Nor is it a lie where the cause was
    published again: then an earlier record of it is among `heard`, its deliveries to the agency.
    """
    skew_us = WINDOW_US + (AGENCY_SKEW_US if effect.outcome == "refused" else SKEW_US)
    if not names_offset(cause) or effect.broker_time_us >= cause.broker_time_us - skew_us:
        return False
    return not any(
        is_of_another_record(delivery, cause)
        and delivery.broker_time_us <= effect.broker_time_us + skew_us
        and not is_before_publish(delivery, cause)
        for delivery in heard
    )


def names_offset(receipt: PublishReceipt) -> bool:
    """Return whether the receipt says at which offset of a topic its event is."""
    return receipt.outcome == "published" and receipt.offset != UNKNOWN_OFFSET


def same_record(one_us: int, other_us: int) -> bool:
    """Return whether two publishes at one offset claim the same record, none of a topic made again."""
    return abs(one_us - other_us) <= SAME_RECORD_US


def contradicts(one: PublishReceipt, other: PublishReceipt) -> bool:
    """Return whether two receipts of one event cannot both be true: one record is as it is.

    An event may have several records: in older versions too, or published again after a lost acknowledgement.
    """
    return _place(one) == _place(other) and _record(one) != _record(other)


def _place(receipt: PublishReceipt) -> tuple[object, ...]:
    return receipt.outcome, receipt.topic, receipt.partition, receipt.offset


def _record(receipt: PublishReceipt) -> tuple[object, ...]:
    return receipt.broker_time_us, receipt.version, receipt.service, receipt.causation, receipt.data_hash
