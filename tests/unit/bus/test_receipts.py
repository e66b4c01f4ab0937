"""Receipts: what is encoded comes back whole, and anything else is refused by one error."""

from dataclasses import replace
from typing import get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import (
    DeliveryOutcome,
    DeliveryReceipt,
    PublishOutcome,
    PublishReceipt,
    decode_receipts,
    encode_receipts,
)
from bus.receipts.receipts import (
    DELIVERY_COMMON,
    DELIVERY_ROW,
    PUBLISH_COMMON,
    PUBLISH_ROW,
    ReceiptFormatError,
    partition_of_transaction,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
number = st.integers(-(2**53), 2**53)
maybe = st.none() | text

published = st.builds(
    PublishReceipt,
    event_id=text, source=text, type=text, version=text, agency=text, service=maybe, transaction=text,
    causation=maybe, outcome=st.sampled_from(get_args(PublishOutcome)), reason=maybe, topic=text,
    partition=number, offset=number, broker_time_us=number, started_at_us=number, recorded_us=number,
    event_time_us=number, skew_us=number, size_bytes=number, data_hash=text, origin=maybe,
)  # fmt: skip
delivered = st.builds(
    DeliveryReceipt,
    event_id=text, source=text, type=text, version=text, agency=text, subscription=text, purpose=text,
    service=maybe, transaction=text, causation=maybe,
    outcome=st.sampled_from(get_args(DeliveryOutcome)), reason=maybe, attempt=number,
    topic=text, partition=number, offset=number, broker_time_us=number,
    started_at_us=number, received_us=number, finished_us=number, skew_us=number, size_bytes=number,
    data_hash=text,
)  # fmt: skip


@given(st.lists(published | delivered, max_size=12))
def test_receipts_come_back_whole(receipts: list[PublishReceipt | DeliveryReceipt]) -> None:
    """Encoding groups what is shared; decoding gives every row, none twice."""
    assert sorted(decode_receipts(encode_receipts(receipts)), key=repr) == sorted(receipts, key=repr)


@given(published)
def test_what_is_shared_is_written_once(receipt: PublishReceipt) -> None:
    """Rows that differ only in their event make one group."""
    rows = [replace(receipt, event_id=str(number)) for number in range(3)]
    (group,) = orjson.loads(encode_receipts(rows))["groups"]
    assert (len(group["rows"]), len(group["common"])) == (3, len(PUBLISH_COMMON))
    assert decode_receipts(encode_receipts(rows)) == rows


@given(st.none() | st.binary(max_size=60))
def test_any_other_bytes_are_refused_by_one_error(value: bytes | None) -> None:
    """A monitor that meets a foreign record needs one `except`."""
    with pytest.raises(ReceiptFormatError):
        decode_receipts(value)


@pytest.mark.parametrize(
    "body",
    [
        [], {}, {"v": 2, "groups": []}, {"v": 1}, {"v": 1, "groups": [{}]}, {"v": 1, "groups": 3},
        {"v": 1, "groups": [{"kind": "publish", "common": [], "rows": []}]},
        {"v": 1, "groups": [{"kind": "other", "common": [], "rows": []}]},
        {"v": 1, "groups": [{"kind": [], "common": [], "rows": []}]},
        {"v": 1, "groups": [{"kind": "publish", "common": [1] * len(PUBLISH_COMMON), "rows": [[1]]}]},
        {"v": 1, "groups": [{"kind": "publish", "common": [1] * len(PUBLISH_COMMON), "rows": [7]}]},
    ],
)  # fmt: skip
def test_json_of_another_shape_is_refused_by_the_same_error(body: object) -> None:
    """Neither a missing part nor a row too short is read as a receipt."""
    with pytest.raises(ReceiptFormatError):
        decode_receipts(orjson.dumps(body))


def test_the_columns_are_pinned() -> None:
    """The wire format is positional: a column that moves is a new format version."""
    assert PUBLISH_ROW == (
        "event_id", "service", "transaction", "causation", "outcome", "reason", "partition", "offset",
        "broker_time_us", "started_at_us", "recorded_us", "event_time_us", "size_bytes", "data_hash",
        "origin",
    )  # fmt: skip
    assert DELIVERY_ROW == (
        "event_id", "source", "type", "version", "service", "transaction", "causation", "outcome", "reason",
        "attempt", "offset", "broker_time_us", "started_at_us", "received_us", "finished_us", "size_bytes",
        "data_hash",
    )  # fmt: skip
    assert DELIVERY_COMMON == ("agency", "subscription", "purpose", "topic", "partition", "skew_us")


@given(text)
def test_a_transaction_has_one_partition(transaction: str) -> None:
    """So that one monitor sees all of it."""
    assert partition_of_transaction(transaction) in range(4)
    assert partition_of_transaction(transaction) == partition_of_transaction(transaction)
