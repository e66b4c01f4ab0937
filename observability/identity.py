"""Which receipts speak of the same thing, and which of two that do stands.

Law of this file: `stands` is commutative, associative and idempotent, so receipts may come late, twice and
in any order. A publish is one event (source and id); published beats refused, the first append beats a
second. A delivery is one attempt with one outcome of one subscription; the first finished stands, so that
a redelivery after a crash does not move the time of the handling.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from bus import DeliveryReceipt, PublishReceipt

PublishKey = tuple[str, str, str]
"""Transaction, source, event id."""

DeliveryKey = tuple[str, str, str, str, str, int, str]
"""Transaction, source, event id, agency, subscription, attempt, outcome."""

Receipt = TypeVar("Receipt", PublishReceipt, DeliveryReceipt)
Key = TypeVar("Key", PublishKey, DeliveryKey)


def transaction_of(receipt: PublishReceipt | DeliveryReceipt) -> str:
    """Return the transaction; an event outside any is a transaction of its own."""
    return receipt.transaction or receipt.event_id


def is_eventless(receipt: PublishReceipt | DeliveryReceipt) -> bool:
    """Return whether it speaks of a record that never was an event one could read: its place is its name."""
    return receipt.transaction == f"{receipt.topic}/{receipt.partition}/{receipt.offset}"


def publish_key(receipt: PublishReceipt) -> PublishKey:
    """Return what identifies a publish."""
    return transaction_of(receipt), receipt.source, receipt.event_id


def delivery_key(receipt: DeliveryReceipt) -> DeliveryKey:
    """Return what identifies a delivery."""
    return (
        transaction_of(receipt),
        receipt.source,
        receipt.event_id,
        receipt.agency,
        receipt.subscription,
        receipt.attempt,
        receipt.outcome,
    )


def stands(one: Receipt, other: Receipt) -> Receipt:
    """Return the one of two receipts with the same key that counts."""
    return one if one == other else min(one, other, key=_rank)


def settle_publishes(receipts: Iterable[PublishReceipt]) -> dict[PublishKey, PublishReceipt]:
    """Return the receipt that stands for each publish."""
    return _settle(receipts, publish_key)


def settle_deliveries(receipts: Iterable[DeliveryReceipt]) -> dict[DeliveryKey, DeliveryReceipt]:
    """Return the receipt that stands for each delivery attempt."""
    return _settle(receipts, delivery_key)


def _settle(receipts: Iterable[Receipt], key_of: Callable[[Receipt], Key]) -> dict[Key, Receipt]:
    settled: dict[Key, Receipt] = {}
    for receipt in receipts:
        key = key_of(receipt)
        settled[key] = stands(settled[key], receipt) if key in settled else receipt
    return settled


def _rank(receipt: PublishReceipt | DeliveryReceipt) -> tuple[bool, int, str]:
    # The last column only breaks ties, so that the choice never depends on the order of arrival.
    if isinstance(receipt, PublishReceipt):
        return receipt.outcome != "published", receipt.broker_time_us, repr(receipt)
    return False, receipt.finished_us, repr(receipt)
