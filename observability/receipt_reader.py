"""Reads the receipts in a record of the receipts topic.

Law of this file: pure; no record stops the monitor. Agencies write receipts, so they are untrusted input:
what does not decode, or is not sound, is not a receipt.
The sound receipts of a damaged record are kept. PostgreSQL refuses NUL, and long keys: the replacement
character stands for the one, `stored_text` for the other.
"""

from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

from bus import DeliveryReceipt, PublishReceipt, decode_receipts, is_sound_receipt
from observability.identity import LONGEST_TEXT_BYTES, AnyReceipt, stored_text

NUL = b"\\u0000"
"""The one way in which JSON writes it."""


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
    sound = tuple(receipt for receipt in found if is_sound_receipt(receipt))
    stored, has_nul = _StoredTexts(), NUL in (value or b"")
    sound = tuple(_storable(receipt, stored, has_nul=has_nul) for receipt in sound)
    return DecodedReceipts(sound, None if len(sound) == len(found) else "unsound-receipt")


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


_TEXTS = {
    row: [column.name for column in fields(row) if column.type is not int]
    for row in (PublishReceipt, DeliveryReceipt)
}
_ALL_TEXTS = {row: attrgetter(*names) for row, names in _TEXTS.items()}
