"""Everything about an event adds up, or what does not is listed with its place."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest

from bus import DeliveryReceipt, PublishReceipt
from bus.reconcile.account import (
    AccountDifference,
    EventPlace,
    Evidence,
    OffsetWindow,
    SourceCount,
    SourceRow,
    SubscriptionName,
    account,
)
from bus.reconcile.row_counts import KEPT_DAYS, RowCounts
from bus.record import TopicPartition

TOPIC = "tax.refund-paid.v1"
PARTITION = TopicPartition(TOPIC, 0)
READER = SubscriptionName("health", "refunds")
SOURCE = "urn:govbus:tax:register"
DAY_US = 1_000_000_000


def place(offset: int) -> EventPlace:
    """An event of the topic."""
    return EventPlace(TOPIC, 0, offset)


def row(kind: Any, **said: Any) -> Any:
    """A receipt; what is not said is empty."""
    empty = {field.name: 0 if field.type is int else None for field in fields(kind)}
    texts = {"event_id": "", "source": SOURCE, "topic": TOPIC, "broker_time_us": DAY_US, "reason": None}
    return kind(**{**empty, **texts, **said})


def published(offset: int, **said: Any) -> PublishReceipt:
    """The receipt of an event."""
    receipt: PublishReceipt = row(
        PublishReceipt, event_id=f"id-{offset}", offset=offset, outcome="published", agency="tax", **said
    )
    return receipt


def delivered(offset: int, outcome: str = "ack", **said: Any) -> DeliveryReceipt:
    """The receipt of a delivery."""
    receipt: DeliveryReceipt = row(
        DeliveryReceipt, offset=offset, outcome=outcome,
        **{"event_id": f"id-{offset}", "agency": READER.agency, "subscription": READER.name, **said},
    )  # fmt: skip
    return receipt


def set_aside(line: int) -> SourceRow:
    """A row of a file that became no event."""
    letter = EventPlace("tax.dead-letters", 0, line)
    return SourceRow("tax/register", TOPIC, f"a.csv:{line}", "malformed-record", letter)


def letter_receipt(line: int) -> PublishReceipt:
    """The receipt of its dead letter."""
    receipt: PublishReceipt = row(
        PublishReceipt, event_id="x", topic="tax.dead-letters", offset=line, outcome="dead-letter"
    )
    return receipt


def evidence(**said: Any) -> Evidence:
    """Four events, of which the offset 4 is a marker; all are published, and handled but for the last."""
    offsets = (0, 1, 2, 3)
    sound = Evidence(
        windows={PARTITION: OffsetWindow(0, 5, 0)},
        events={place(offset): f"id-{offset}" for offset in offsets},
        receipts=[*map(published, offsets), letter_receipt(7)],
        deliveries=[delivered(0), delivered(1), delivered(2)],
        parked={},
        positions={READER: {PARTITION: 3}},
        rows=[set_aside(7)],
        counts=[SourceCount("tax/register", SOURCE, published=4, set_aside=1, skipped=2)],
        topic_ids={TOPIC: "now"},
        since_us=DAY_US,
        until_us=2 * DAY_US,
    )
    return replace(sound, **said)


def test_what_adds_up_is_counted() -> None:
    """Offsets, receipts, rows and each subscriber; a marker takes an offset, and is no missing event."""
    found = account(evidence())
    assert found.differences == []
    (topic,), (source,), (reader,) = found.topics, found.sources, found.subscribers
    assert (topic.offsets, topic.events, topic.others, topic.receipts, topic.copies) == (5, 4, 1, 4, 0)
    assert (source.rows, source.published, source.set_aside, source.skipped) == (7, 4, 1, 2)
    assert (reader.events, reader.handled, reader.not_yet_read, reader.lost) == (4, 3, 1, 0)
    assert [row.origin for row in found.set_aside] == ["a.csv:7"]
    assert found.as_json()["adds_up"] is True
    assert found.as_json()["set_aside"][0]["letter"] == "tax.dead-letters/0/7"


Missing = Sequence[tuple[str, str, str]]
CASES: Mapping[str, tuple[dict[str, Any], Missing]] = {
    "an event without receipt": (
        {"receipts": [*map(published, (0, 1, 3)), letter_receipt(7)]},
        [(TOPIC, f"{TOPIC}/0/2", "an event without its publish receipt"),
         (SOURCE, "", "its own count says 4 rows published, 3 have a receipt")],
    ),
    "a receipt without event": (
        {"receipts": [*map(published, (0, 1, 2, 3, 4)), letter_receipt(7)],
         "counts": [SourceCount("tax/register", SOURCE, 5, 1, 0)]},
        [(TOPIC, f"{TOPIC}/0/4", "a publish receipt without its event")],
    ),
    "an event read past": (
        {"deliveries": [delivered(0), delivered(2)]},
        [("health/refunds", f"{TOPIC}/0/1", "read past, but neither handled nor parked nor a dead letter")],
    ),
    "an event tried only": (
        {"deliveries": [delivered(0), delivered(1, "retry"), delivered(2)]},
        [("health/refunds", f"{TOPIC}/0/1", "read past, but neither handled nor parked nor a dead letter")],
    ),
    "a delivery of nothing": (
        {"deliveries": [*map(delivered, (0, 1, 2, 4))]},
        [("health/refunds", f"{TOPIC}/0/4", "a delivery receipt without its event")],
    ),
    "a row without dead letter": (
        {"rows": [], "receipts": [*map(published, range(4))]},
        [("tax/register", "", "its own count says 1 rows set aside, there are 0 dead letters")],
    ),
    "a dead letter that no count covers": (
        {"rows": [set_aside(7), set_aside(8)],
         "receipts": [*map(published, range(4)), *map(letter_receipt, (7, 8))]},
        [("tax/register", "a.csv:7 to a.csv:8",
          "its own count says 1 rows set aside, there are 2 dead letters")],
    ),
    "a dead letter without receipt": (
        {"receipts": [*map(published, range(4))]},
        [("tax/register", "a.csv:7", "a dead letter without its receipt: tax.dead-letters/0/7")],
    ),
    "an event that no checkpoint covers": (
        {"counts": [SourceCount("tax/register", SOURCE, 3, 1, 0)]},
        [(SOURCE, "", "its own count says 3 rows published, 4 have a receipt")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_add_up_is_listed_with_its_place(name: str) -> None:
    """Exactly that, and nothing else."""
    said, expected = CASES[name]
    found = account(evidence(**said))
    assert found.differences == sorted(AccountDifference(*one) for one in expected)
    assert found.as_json()["adds_up"] is False


def test_a_copy_of_an_event_that_has_a_receipt_is_no_difference() -> None:
    """The first copy was never acknowledged. Nor is a receipt without a place a difference."""
    found = account(evidence(events={**evidence().events, place(4): "id-1"}))
    assert found.differences == []
    assert (found.topics[0].receipts, found.topics[0].copies) == (4, 1)
    unplaced = [*map(published, (0, 1, 2)), replace(published(3), offset=-1), letter_receipt(7)]
    assert account(evidence(receipts=unplaced)).differences == []


def test_what_retention_has_taken_is_not_missing() -> None:
    """Receipts are kept longer than the events of some topics."""
    left = {place(offset): f"id-{offset}" for offset in (2, 3)}
    found = account(evidence(windows={PARTITION: OffsetWindow(0, 5, 2)}, events=left))
    assert found.differences == []


@pytest.mark.parametrize(
    ("outcomes", "parked", "fate"),
    [
        (["retry"], True, "parked"),
        ([], True, "parked"),
        (["retry", "dead-letter"], False, "dead"),
        (["dead-letter"], True, "parked"),
        (["dead-letter", "discarded"], False, "dead"),
        (["dead-letter", "ack"], False, "handled"),
        (["ack", "ack"], True, "handled"),
    ],
)
def test_an_event_has_one_fate(outcomes: list[str], parked: bool, fate: str) -> None:
    """Handled at last, else parked, as a redriven one is, else a dead letter."""
    rows = [delivered(0), delivered(2), *(delivered(1, outcome) for outcome in outcomes)]
    found = account(evidence(deliveries=rows, parked={READER: {place(1)}} if parked else {}))
    assert found.differences == []
    (reader,) = found.subscribers
    assert getattr(reader, fate) == (3 if fate == "handled" else 1)


def test_what_was_handled_of_a_topic_that_is_gone_counts_for_nothing_of_the_new_one() -> None:
    """At the place of the one that it handled, the new topic has another event, which is lost."""
    former = delivered(1, event_id="id-of-another")
    found = account(evidence(deliveries=[delivered(0), former, delivered(2)]))
    assert [(one.where, one.what) for one in found.differences] == [
        (str(place(1)), "read past, but neither handled nor parked nor a dead letter")
    ]


@pytest.mark.parametrize(("topic_id", "fate"), [("now", "dead"), ("former", "lost")])
def test_a_record_that_was_no_event_is_known_by_the_id_of_its_topic(topic_id: str, fate: str) -> None:
    """Its place alone would be that of another record in a topic that was made again."""
    letter = delivered(1, "dead-letter", event_id=f"{place(1)}/{topic_id}")
    found = account(evidence(deliveries=[delivered(0), letter, delivered(2)]))
    assert getattr(found.subscribers[0], fate) == 1


def test_a_subscription_that_never_ran_has_read_nothing() -> None:
    """It is in the catalogue, so it is shown; a replay is not a subscription."""
    other = SubscriptionName("labour", "pensions")
    rows = [*evidence().deliveries, delivered(0, subscription="refunds.replay.7")]
    positions = {**evidence().positions, other: {PARTITION: 0}}
    found = account(evidence(deliveries=rows, positions=positions))
    assert [(one.subscription, one.not_yet_read) for one in found.subscribers] == [
        ("health/refunds", 1),
        ("labour/pensions", 4),
    ]


def test_an_event_published_on_two_days_counts_on_the_last() -> None:
    """As its source counts it, after the crash between the two."""
    again = [*(evidence().receipts or ()), published(9, topic=TOPIC, broker_time_us=3 * DAY_US)]
    again[-1] = replace(again[-1], event_id="id-3")
    counts = [SourceCount("tax/register", SOURCE, 3, 1, 0)]
    assert account(evidence(receipts=again, counts=counts)).differences == []


def test_counts_add_up_and_are_forgotten_in_time() -> None:
    """They go through JSON unchanged; what is too old is left out, and what is malformed is no count."""
    day, counts = date(2026, 3, 1), RowCounts()
    counts.count(TOPIC, day, "published")
    counts.count(TOPIC, day, "set-aside")
    twice = counts.plus(counts)
    assert twice.as_json() == [[TOPIC, "2026-03-01", "published", 2], [TOPIC, "2026-03-01", "set-aside", 2]]
    assert RowCounts.of_json(twice.as_json()).as_json() == twice.as_json()
    later = RowCounts()
    later.count(TOPIC, day + timedelta(days=KEPT_DAYS + 1), "skipped")
    assert [row.fate for row in twice.plus(later)] == ["skipped"]
    wrong_rows = [[1], ["a", "b"], ["a", "2026-99-99", "published", 1], ["a", "2026-01-01", "x", 1]]
    for wrong in (None, "x", wrong_rows):
        assert RowCounts.of_json(wrong).as_json() == []
