"""Which receipts report the same publish or delivery, and which one counts.

Law of this file: pure; `preferred` is commutative, associative and idempotent, so receipts may arrive late,
twice and in any order. A publish is one event (source and id): published wins over refused, then the
earliest. A delivery is one attempt of one subscription with one outcome: the first to finish wins, so that a
redelivery after a crash does not change when the event was handled.

An id is stored whole up to `LONGEST_TEXT_BYTES`: PostgreSQL keeps no key of more than 2,704 bytes, and that
of a delivery has five texts.
"""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import TypeVar, get_args

from bus import DeliveryOutcome, DeliveryReceipt, PublishReceipt

AnyReceipt = PublishReceipt | DeliveryReceipt

PublishKey = tuple[str, str, str]
"""Transaction, source, event id."""

DeliveryKey = tuple[str, str, str, str, str, int, str]
"""Transaction, source, event id, agency, subscription, attempt, outcome."""

Receipt = TypeVar("Receipt", PublishReceipt, DeliveryReceipt)
Key = TypeVar("Key", PublishKey, DeliveryKey)

LONGEST_TEXT_BYTES = 500
"""Most bytes that are stored of a text of a receipt."""


def stored_text(text: str) -> str:
    """Return what is stored of a text: its beginning and a digest of the whole if it is too long."""
    if len(text) * 4 <= LONGEST_TEXT_BYTES:
        return text
    whole = text.encode(errors="replace")
    if len(whole) <= LONGEST_TEXT_BYTES:
        return text
    digest = f"~{sha256(whole).hexdigest()}"
    return whole[: LONGEST_TEXT_BYTES - len(digest)].decode(errors="ignore") + digest


def transaction_of(receipt: AnyReceipt) -> str:
    """Return the transaction of a receipt; an event without one is a transaction of its own."""
    return receipt.transaction or receipt.event_id


def is_eventless(receipt: AnyReceipt) -> bool:
    """Return whether the receipt is of a record that was no readable event; its place is then its name."""
    place = f"{receipt.topic}/{receipt.partition}/{receipt.offset}"
    return receipt.transaction == place or receipt.transaction.startswith(f"{place}/")


def is_attempt(outcome: DeliveryOutcome) -> bool:
    """Return whether a subscription reports the outcome; what an operator does with a dead letter is none."""
    match outcome:
        case "ack" | "retry" | "dead-letter":
            return True
        case "discarded" | "displaced" | "halted" | "resumed":
            return False


def resolves(outcome: DeliveryOutcome) -> bool:
    """Return whether a dead letter of the same event and subscription is done with."""
    match outcome:
        case "ack" | "discarded":
            return True
        case "retry" | "dead-letter" | "displaced" | "halted" | "resumed":
            return False


ATTEMPTS = tuple(outcome for outcome in get_args(DeliveryOutcome) if is_attempt(outcome))
RESOLVING = tuple(outcome for outcome in get_args(DeliveryOutcome) if resolves(outcome))


def publish_key(receipt: PublishReceipt) -> PublishKey:
    """Return the key of the publish that a receipt reports."""
    return transaction_of(receipt), receipt.source, receipt.event_id


def delivery_key(receipt: DeliveryReceipt) -> DeliveryKey:
    """Return the key of the delivery that a receipt reports."""
    return (
        transaction_of(receipt),
        receipt.source,
        receipt.event_id,
        receipt.agency,
        receipt.subscription,
        receipt.attempt,
        receipt.outcome,
    )


def preferred(one: Receipt, other: Receipt) -> Receipt:
    """Return which of two receipts with the same key counts."""
    return one if one == other else min(one, other, key=_rank)


def settle_publishes(receipts: Iterable[PublishReceipt]) -> dict[PublishKey, PublishReceipt]:
    """Return the receipt that counts for each publish."""
    return _settle(receipts, publish_key)


def settle_deliveries(receipts: Iterable[DeliveryReceipt]) -> dict[DeliveryKey, DeliveryReceipt]:
    """Return the receipt that counts for each delivery."""
    return _settle(receipts, delivery_key)


def _settle(receipts: Iterable[Receipt], key_of: Callable[[Receipt], Key]) -> dict[Key, Receipt]:
    settled: dict[Key, Receipt] = {}
    for receipt in receipts:
        key = key_of(receipt)
        settled[key] = preferred(settled[key], receipt) if key in settled else receipt
    return settled


def _rank(receipt: AnyReceipt) -> tuple[bool, int, str]:
    # `repr` only breaks ties, so that the choice does not depend on the order of arrival.
    if isinstance(receipt, PublishReceipt):
        return receipt.outcome != "published", receipt.broker_time_us, repr(receipt)
    return False, receipt.finished_us, repr(receipt)
