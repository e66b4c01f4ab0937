"""Reads the receipts in a record of the receipts topic.

Law of this file: pure; no record stops the monitor. Agencies write receipts, so they are untrusted input:
what does not decode, or does not fit its column (a text for a number, a time out of range), is not a receipt.
The sound receipts of a damaged record are kept. PostgreSQL refuses NUL, and long keys: the replacement
character stands for the one, `stored_text` for the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, Literal, get_args, get_origin

from bus import DeliveryOutcome, DeliveryReceipt, PublishOutcome, PublishReceipt, decode_receipts
from observability.identity import LONGEST_TEXT_BYTES, AnyReceipt, stored_text

SMALLEST, LARGEST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Bounds of every whole number: the years 1 to 9999 in microseconds since the epoch."""

LARGEST_SHORT = 2**31 - 1
"""Bound of partitions and attempts."""

NUL = b"\\u0000"
"""The one way in which JSON writes it."""

OUTCOMES: Mapping[type[AnyReceipt], frozenset[str]] = {
    PublishReceipt: frozenset(get_args(PublishOutcome)),
    DeliveryReceipt: frozenset(get_args(DeliveryOutcome)),
}
"""The outcomes of each kind of receipt: those of `bus.outcome`, which are all that the bus writes."""


@dataclass(frozen=True, slots=True)
class DecodedReceipts:
    """The sound receipts of one record; `reason` says why some are missing, None if none is."""

    receipts: tuple[AnyReceipt, ...]
    reason: str | None


def read(value: bytes | None) -> DecodedReceipts:
    """Return the receipts in the value of one record of the receipts topic."""
    try:
        found = decode_receipts(value)
    except ValueError:
        return DecodedReceipts((), "not-receipts")
    sound = tuple(receipt for receipt in found if is_sound(receipt))
    stored, has_nul = _StoredTexts(), NUL in (value or b"")
    sound = tuple(_storable(receipt, stored, has_nul=has_nul) for receipt in sound)
    return DecodedReceipts(sound, None if len(sound) == len(found) else "unsound-receipt")


def is_sound(receipt: AnyReceipt) -> bool:
    """Return whether every field is of its type and fits its column."""
    check = _CHECKS[type(receipt)]
    return check(receipt) and receipt.outcome in OUTCOMES[type(receipt)]


class _StoredTexts(dict[str, str]):
    """What is stored of each text of a record: thousands of rows may share a text of a megabyte."""

    def __missing__(self, text: str) -> str:
        self[text] = stored = stored_text(text.replace("\0", "\ufffd"))
        return stored


def _storable(receipt: AnyReceipt, stored: _StoredTexts, *, has_nul: bool) -> AnyReceipt:
    texts = _ALL_TEXTS[type(receipt)](receipt)
    if not has_nul and max(len(text) for text in texts if text) * 4 <= LONGEST_TEXT_BYTES:
        return receipt
    values = zip(_TEXTS[type(receipt)], texts, strict=True)
    changed: dict[str, Any] = {name: stored[text] for name, text in values if text}
    return replace(receipt, **changed)


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
_TEXTS = {
    row: [column.name for column in fields(row) if column.type is not int]
    for row in (PublishReceipt, DeliveryReceipt)
}
_ALL_TEXTS = {row: attrgetter(*names) for row, names in _TEXTS.items()}
