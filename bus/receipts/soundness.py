"""Whether a receipt is one: agencies write them, so what others read is untrusted. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, Literal, get_args, get_origin

from bus.outcome import DeliveryOutcome, PublishOutcome
from bus.receipts.receipts import DeliveryReceipt, PublishReceipt, ReceiptRow

SMALLEST, LARGEST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Bounds of every whole number: the years 1 to 9999 in microseconds since the epoch."""

LARGEST_SHORT = 2**31 - 1
"""Bound of partitions and attempts."""

OUTCOMES: Mapping[type[ReceiptRow], frozenset[str]] = {
    PublishReceipt: frozenset(get_args(PublishOutcome)),
    DeliveryReceipt: frozenset(get_args(DeliveryOutcome)),
}
"""The outcomes of each kind of receipt: those of `bus.outcome`, which are all that the bus writes."""


def is_sound_receipt(receipt: ReceiptRow) -> bool:
    """Return whether every field is of its type, in its bounds, and the outcome one that the bus writes."""
    check = _CHECKS[type(receipt)]
    return check(receipt) and receipt.outcome in OUTCOMES[type(receipt)]


_TEXT, _WHOLE, _TEXT_OR_NONE = frozenset({str}), frozenset({int}), frozenset({str, type(None)})


def _check(row: type[PublishReceipt] | type[DeliveryReceipt]) -> Callable[[Any], bool]:
    names: dict[object, list[str]] = {str: [], int: [], str | None: []}
    for column in fields(row):
        names[str if get_origin(column.type) is Literal else column.type].append(column.name)
    texts, wholes, optional = (attrgetter(*names[kind]) for kind in (str, int, str | None))
    short = attrgetter(*({"partition", "attempt"} & set(names[int])), "partition")

    def check(receipt: Any) -> bool:
        numbers = wholes(receipt)
        return (
            _TEXT.issuperset(map(type, texts(receipt)))
            and _WHOLE.issuperset(map(type, numbers))
            and min(numbers) >= SMALLEST
            and max(numbers) <= LARGEST
            and _TEXT_OR_NONE.issuperset(map(type, optional(receipt)))
            and all(-LARGEST_SHORT <= whole <= LARGEST_SHORT for whole in short(receipt))
            and bool(receipt.event_id)
        )

    return check


_CHECKS = {row: _check(row) for row in (PublishReceipt, DeliveryReceipt)}
