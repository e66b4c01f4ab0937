"""What is believed of a receipt: each rule by the lie that it stops."""

from dataclasses import replace
from typing import Any

import pytest

from bus import PublishReceipt
from observability.evidence.trust import (
    AGENCY_SKEW_US,
    OVERDUE_US,
    SKEW_US,
    UNKNOWN_OFFSET,
    WINDOW_US,
    Bounds,
    Fault,
    Standing,
    Word,
    contradicts,
    disbelief,
    fault_of,
    is_before_cause,
    is_before_publish,
    is_checkable,
    standing_by_time,
    standing_of,
    window_us,
)
from observability.identity import AnyReceipt
from tests.unit.observability.country import (
    BORN,
    MINUTE,
    RECORD,
    SECOND,
    START,
    delivered,
    published,
    refused,
    set_aside,
    unreadable,
)

WRITTEN = START + 100_000
HEALTH = "health"


def fault(receipt: AnyReceipt, speaker: str = HEALTH, written_us: int = WRITTEN) -> Fault | None:
    """Return what is wrong with what `speaker` wrote."""
    return fault_of(Word(speaker, receipt, written_us, (f"{speaker}.receipts", 0, 0)))


@pytest.mark.parametrize(
    "receipt",
    [
        published(RECORD, START),
        refused(RECORD, START),
        set_aside(HEALTH, START),
        set_aside(HEALTH, START, source="urn:govbus:health:", type=f"{RECORD}.v1"),
        delivered(BORN, HEALTH, START),
        delivered(BORN, HEALTH, START, outcome="dead-letter", reason="target-rejected"),
        unreadable(HEALTH, START),
        replace(unreadable(HEALTH, START), outcome="discarded", subscription="", topic="health.dead-letters"),
    ],
)
def test_an_agency_is_believed_of_itself(receipt: AnyReceipt) -> None:
    """Every kind of receipt that a bus writes."""
    assert fault(receipt) is None


@pytest.mark.parametrize(
    ("receipt", "expected"),
    [
        (published(BORN, START), "other-agency"),
        (published(BORN, START, agency=HEALTH), "other-agency"),
        (published(RECORD, START, source="urn:govbus:health-office:records"), "other-agency"),
        (published(RECORD, START, source="a source of no agency"), "other-agency"),
        (refused(BORN, START), "other-agency"),
        (set_aside("tax", START), "other-agency"),
        (delivered(BORN, "tax", START), "other-agency"),
        (delivered(BORN, "tax", START, outcome="dead-letter"), "other-agency"),
        (published(RECORD, START, type=f"{BORN}.v1"), "other-event"),
        (published(RECORD, START, type=f"{BORN}.v1", topic=f"{BORN}.v1"), "other-event"),
        (published(RECORD, START, topic=f"{BORN}.v1"), "other-event"),
        (published(RECORD, START, type="health-x.opened.v1", topic="health-x.opened.v1"), "other-event"),
        (refused(RECORD, START, type=f"{BORN}.v1"), "other-event"),
        (refused(RECORD, START, topic=f"{RECORD}.v1"), "other-event"),
        (set_aside(HEALTH, START, topic="tax.dead-letters"), "other-event"),
        (set_aside(HEALTH, START, type=f"{BORN}.v1"), "other-event"),
        (
            delivered(BORN, HEALTH, START, outcome="discarded", subscription="", topic="tax.dead-letters"),
            "other-event",
        ),
        (published(RECORD, WRITTEN + SKEW_US + 1), "ahead-of-now"),
        (refused(RECORD, WRITTEN + AGENCY_SKEW_US + 1), "ahead-of-now"),
        (delivered(BORN, HEALTH, START, finished_us=WRITTEN + AGENCY_SKEW_US + 1), "ahead-of-now"),
        (delivered(BORN, HEALTH, START, received_us=WRITTEN + 90 * SECOND), "ahead-of-now"),
        (delivered(BORN, HEALTH, START, finished_us=START - AGENCY_SKEW_US - 1), "before-cause"),
        (refused(RECORD, WRITTEN - OVERDUE_US - 1), "wrong-time"),
    ],
)
def test_a_word_about_others_or_against_time_is_not_believed(receipt: AnyReceipt, expected: Fault) -> None:
    """Whatever else it says."""
    assert fault(receipt) == expected


@pytest.mark.parametrize(
    ("offset", "bounds", "expected"),
    [
        (5, Bounds(0, 10, 5, 6), "confirmed"),
        (5, Bounds(0, 10, 3, 9), "confirmed"),
        (9, Bounds(0, 10, 9, 10), "confirmed"),
        (10, Bounds(0, 10, 9, 10), "no-such-offset"),
        (0, Bounds(0, 0, 0, 0), "no-such-offset"),
        (-2, Bounds(0, 10, 0, 10), "no-such-offset"),
        (5, Bounds(0, 10, 6, 8), "wrong-time"),
        (5, Bounds(0, 10, 3, 5), "wrong-time"),
        (5, Bounds(0, 10, 10, 10), "wrong-time"),
        (5, Bounds(6, 10, 6, 6), "uncheckable"),
        (-1, Bounds(0, 10, 3, 5), "uncheckable"),
        (-1, Bounds(0, 10, 5, 5), "wrong-time"),
    ],
)
def test_a_topic_knows_what_it_holds_and_when_it_came(
    offset: int, bounds: Bounds, expected: Standing
) -> None:
    """By the first offsets in the second claimed and after it."""
    assert standing_of(offset, bounds) == expected


def test_a_window_holds_its_second_and_the_skew_of_brokers() -> None:
    """So a clock that goes back a little between two leaders makes nobody a liar."""
    assert window_us(START + 999_999) == (START, START + SECOND + SKEW_US)
    assert window_us(START + SECOND) == (START + SECOND, START + 2 * SECOND + SKEW_US)


@pytest.mark.parametrize(
    ("standing", "late_us", "expected"),
    [
        ("confirmed", 9 * OVERDUE_US, None),
        ("unchecked", OVERDUE_US, None),
        ("unchecked", OVERDUE_US + 1, "wrong-time"),
        ("uncheckable", OVERDUE_US, None),
        ("uncheckable", OVERDUE_US + 1, "wrong-time"),
        ("no-such-offset", 0, "no-such-offset"),
        ("wrong-time", 0, "wrong-time"),
    ],
)
def test_what_cannot_be_checked_is_believed_if_it_was_written_soon(
    standing: Standing, late_us: int, expected: Fault | None
) -> None:
    """A cluster that does not answer makes nobody a liar, and lets nobody back-date by days."""
    assert disbelief(standing, WRITTEN - late_us, WRITTEN) == expected


def test_what_names_a_place_can_be_checked() -> None:
    """A delivery is the subscriber's own word, and a refused event is nowhere."""
    placed: list[AnyReceipt] = [published(RECORD, START), set_aside(HEALTH, START)]
    others: list[AnyReceipt] = [refused(RECORD, START), delivered(BORN, HEALTH, START)]
    assert [is_checkable(one) for one in (*placed, *others)] == [True, True, False, False]


def test_nothing_is_handled_before_it_is_published() -> None:
    """When that was, its publisher says, and not the subscriber."""
    born = published(BORN, START)
    told = delivered(BORN, HEALTH, START - 9 * AGENCY_SKEW_US, offset=born.offset)
    assert is_before_publish(told, born)
    assert not is_before_publish(told, refused(BORN, START))
    assert not is_before_publish(delivered(BORN, HEALTH, START), published(BORN, START + AGENCY_SKEW_US))


def test_an_event_that_was_published_again_may_have_been_handled_before() -> None:
    """Another record of it, within a day; and only who heard of that one had cause to publish."""
    again = published(BORN, START + 9 * AGENCY_SKEW_US)
    effect = published(RECORD, START + SECOND)
    heard = delivered(BORN, HEALTH, START)
    assert not is_before_publish(heard, again)
    assert is_before_publish(heard, published(BORN, START + OVERDUE_US + SECOND))
    assert is_before_publish(heard, replace(again, offset=-1))
    assert is_before_cause(effect, again)
    assert not is_before_cause(effect, again, [heard])
    late = [delivered(BORN, HEALTH, START + MINUTE), replace(heard, offset=again.offset)]
    assert is_before_cause(effect, again, late)


@pytest.mark.parametrize(
    ("effect", "cause", "expected"),
    [
        (published(RECORD, START), published(BORN, START + WINDOW_US + SKEW_US), False),
        (published(RECORD, START), published(BORN, START + WINDOW_US + SKEW_US + 1), True),
        (published(RECORD, START), published(BORN, START + 9 * SECOND, offset=-1), False),
        (published(RECORD, START), refused(BORN, START + 9 * SECOND), False),
        (refused(RECORD, START), published(BORN, START + AGENCY_SKEW_US), False),
        (refused(RECORD, START), published(BORN, START + AGENCY_SKEW_US + WINDOW_US + 1), True),
    ],
)
def test_nothing_is_published_before_its_cause(
    effect: PublishReceipt, cause: PublishReceipt, *, expected: bool
) -> None:
    """By more than clocks and topics may differ. Nothing follows from a cause without a known place."""
    assert is_before_cause(effect, cause) is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"skew_us": 9}, False),
        ({"offset": 77, "broker_time_us": START + SECOND, "data_hash": "sha256:1"}, False),
        ({"topic": f"{RECORD}.v2", "type": f"{RECORD}.v2"}, False),
        ({"broker_time_us": START - SECOND}, True),
        ({"service": "another"}, True),
        ({"data_hash": "sha256:1"}, True),
    ],
)
def test_one_record_is_as_it_is(changes: dict[str, Any], expected: bool) -> None:
    """An event may be published again, and in older versions; a record has one time and one content."""
    assert contradicts(published(RECORD, START), published(RECORD, START, **changes)) is expected


@pytest.mark.parametrize(
    ("offset", "at", "first", "standing"),
    [
        (5, 100, 6, "wrong-time"),  # it is earlier than the first time claimed
        (5, 200, 5, "wrong-time"),  # it is not earlier than the last one
        (5, 99, 6, "wrong-time"),
        (5, 101, 6, None),
        (5, 199, 5, None),
        (5, 100, 5, None),
        (5, 200, 6, None),
        (UNKNOWN_OFFSET, 100, 6, None),
    ],
)
def test_one_answer_of_a_partition_bounds_the_time_of_all_its_offsets(
    offset: int, at: int, first: int, standing: str | None
) -> None:
    """Times grow with offsets: what lies before an offset was written no later than it."""
    assert standing_by_time(offset, (100, 200), at, first) == standing
