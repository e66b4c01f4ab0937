"""What a record of the receipts topic holds."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import encode_receipts, is_sound_receipt
from bus.receipts.soundness import LARGEST, SMALLEST
from observability.identity import stored_text
from observability.receipt_reader import DecodedReceipts, read
from tests.unit.observability.country import (
    BORN,
    START,
    delivered,
    published,
    refused,
    set_aside,
    unreadable,
    whole_birth,
)


def test_record_gives_all_its_receipts() -> None:
    """What the bus wrote is read back unchanged."""
    receipts = [*whole_birth(), refused(BORN, START), set_aside("tax", START), unreadable("tax", START)]
    assert set(read(encode_receipts(receipts)).receipts) == set(receipts)
    assert read(encode_receipts(receipts)).reason is None


@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"\xff\x00", b"[]", b'{"v": 2, "groups": []}', b'{"v": 1}']
)
def test_record_that_is_no_receipts_is_a_reading_too(value: bytes | None) -> None:
    """Nothing an agency can write raises."""
    assert read(value) == DecodedReceipts((), "not-receipts")


@pytest.mark.parametrize("text", ["x" * 100_000, "\0" + "x" * 100_000, "\0x"])
def test_a_text_that_rows_share_is_made_storable_once(text: str) -> None:
    """Thousands of rows may share a megabyte: the work of a record grows with its bytes alone."""
    receipts = read(encode_receipts([published(BORN, START + n, source=text) for n in range(9)])).receipts
    assert len({receipt.source for receipt in receipts}) == 1
    assert len({id(receipt.source) for receipt in receipts}) == 1
    assert receipts[0].source == stored_text(text.replace("\0", "\ufffd"))


@given(st.binary())
def test_no_bytes_raise(value: bytes) -> None:
    """The monitor goes on after any record."""
    assert read(value).receipts == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"broker_time_us": "now"},
        {"broker_time_us": None},
        {"broker_time_us": 1.5},
        {"offset": True},
        {"started_at_us": LARGEST + 1},
        {"skew_us": SMALLEST - 1},
        {"partition": 2**31},
        {"agency": None},
        {"agency": 7},
        {"service": 7},
        {"outcome": "perhaps"},
        {"outcome": "ack"},
        {"event_id": ""},
    ],
)
def test_unsound_receipt_is_left_out_and_the_others_kept(changes: dict[str, Any]) -> None:
    """A field of the wrong type or size never reaches the database."""
    sound, unsound = published(BORN, START), replace(published(BORN, START, "other"), **changes)
    assert not is_sound_receipt(unsound)
    assert read(encode_receipts([sound, unsound])) == DecodedReceipts((sound,), "unsound-receipt")


@pytest.mark.parametrize(
    "changes", [{"attempt": 2**31}, {"attempt": "1"}, {"outcome": "published"}, {"purpose": 1}]
)
def test_unsound_delivery_is_left_out(changes: dict[str, Any]) -> None:
    """Deliveries are held to the same rules."""
    assert not is_sound_receipt(replace(delivered(BORN, "tax", START), **changes))


def test_nul_in_a_foreign_header_does_not_cost_the_receipt() -> None:
    """What PostgreSQL could not store is replaced, the rest of the receipt stays."""
    (receipt,) = read(encode_receipts([published(BORN, START, service="birth\0")])).receipts
    assert receipt.service == "birth\ufffd"


@pytest.mark.parametrize("event_time_us", [SMALLEST, LARGEST])
def test_fact_of_any_year_is_sound(event_time_us: int) -> None:
    """A source may date a fact to the year 1, or to the end of time."""
    assert is_sound_receipt(published(BORN, START, event_time_us=event_time_us))
