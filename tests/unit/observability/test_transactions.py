"""Where a transaction is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import DeliveryReceipt, PublishReceipt
from observability.identity import settle_deliveries, settle_publishes
from observability.transactions import Assessment, Loss, assess, steps, subject_of
from observability.views import Cause, State
from tests.unit.observability.country import (
    ALLOWANCE,
    BIRTH,
    BORN,
    MINUTE,
    NUMBER,
    RECORD,
    SECOND,
    SERVICES,
    START,
    delivered,
    published,
    refused,
    set_aside,
    whole_birth,
)

Receipts = list[PublishReceipt | DeliveryReceipt]


def assess_all(receipts: Receipts) -> Assessment:
    """Return the assessment of receipts of both kinds."""
    return assess(
        SERVICES,
        settle_publishes(each for each in receipts if isinstance(each, PublishReceipt)).values(),
        settle_deliveries(each for each in receipts if isinstance(each, DeliveryReceipt)).values(),
    )


BORN_ONLY: Receipts = [published(BORN, START)]
ALL_BUT_LAST: Receipts = whole_birth()[:-1]
GIVEN_UP: Receipts = [
    *BORN_ONLY,
    delivered(BORN, "tax", START, outcome="dead-letter", reason="target-rejected"),
]
REFUSED: Receipts = [*BORN_ONLY, refused(RECORD, START + SECOND)]
REDRIVEN: Receipts = [*GIVEN_UP, delivered(BORN, "tax", START, attempt=2, queue_us=9 * SECOND)]
ELSEWHERE: Receipts = [
    *BORN_ONLY,
    delivered(BORN, "statistics", START, outcome="dead-letter", reason="target-rejected"),
]
SLOW_END: Receipts = [*ALL_BUT_LAST, published(ALLOWANCE, START + 121 * SECOND)]
PUNCTUAL_END: Receipts = [*ALL_BUT_LAST, published(ALLOWANCE, START + 120 * SECOND)]


@pytest.mark.parametrize(
    ("receipts", "after_us", "expected", "late"),
    [
        (BORN_ONLY, 0, "open", False),
        (BORN_ONLY, 30 * SECOND, "open", False),
        (BORN_ONLY, 30 * SECOND + 1, "stuck", False),
        (BORN_ONLY, 120 * SECOND + 1, "stuck", True),
        (ALL_BUT_LAST, 10 * SECOND, "open", False),
        (ALL_BUT_LAST, 62 * SECOND, "open", False),
        (ALL_BUT_LAST, 62 * SECOND + 1, "stuck", False),
        (whole_birth(), 3 * SECOND, "completed", False),
        (whole_birth(), 300 * MINUTE, "completed", False),
        (PUNCTUAL_END, 300 * MINUTE, "completed", False),
        (SLOW_END, 300 * MINUTE, "completed", True),
        (GIVEN_UP, 1 * SECOND, "stuck", False),
        (REDRIVEN, 10 * SECOND, "open", False),
        (ELSEWHERE, 1 * SECOND, "open", False),
        ([refused(BORN, START)], 1 * SECOND, "refused", False),
        (REFUSED, 2 * SECOND, "stuck", False),
        ([*REFUSED, published(RECORD, START + 3 * SECOND, event_id="mended")], 4 * SECOND, "open", False),
        ([*BORN_ONLY, refused("health.no-milestone", START)], 1 * SECOND, "open", False),
        ([published(BORN, START, service=None)], 300 * MINUTE, "untracked", False),
        ([published(BORN, START, service="no-such-service")], 300 * MINUTE, "untracked", False),
        ([delivered(BORN, "tax", START)], 31 * SECOND, "refused", False),
        ([published(RECORD, START)], 31 * SECOND, "untracked", False),
    ],
)
def test_state(receipts: Receipts, after_us: int, expected: State, late: bool) -> None:
    """The states are those of the table at the head of the module, to the microsecond."""
    assessed = assess_all(receipts)
    assert (assessed.state(START + after_us), assessed.is_late(START + after_us)) == (expected, late)


def test_past_the_deadline_without_an_overdue_milestone_is_late() -> None:
    """The deadline of the whole counts where the milestones have none."""
    service = replace(BIRTH, milestones=())
    assessed = assess({BIRTH.name: service}, [published(BORN, START)], [])
    assert assessed.state(START + 121 * SECOND) == "late"
    assert [(wait.event, wait.agency, wait.due_us) for wait in assessed.waits] == [
        (RECORD, "health", None),
        (ALLOWANCE, "social-security", None),
    ]


@pytest.mark.parametrize(
    ("receipts", "after_us", "expected"),
    [
        (BORN_ONLY, 0, [(RECORD, "health", None), (NUMBER, "tax", None)]),
        (BORN_ONLY, 31 * SECOND, [(RECORD, "health", "deadline"), (NUMBER, "tax", "deadline")]),
        (GIVEN_UP, 1 * SECOND, [(RECORD, "health", None), (NUMBER, "tax", "dead-letter")]),
        (REFUSED, 2 * SECOND, [(RECORD, "health", "refused"), (NUMBER, "tax", None)]),
        (REFUSED, 31 * SECOND, [(RECORD, "health", "refused"), (NUMBER, "tax", "deadline")]),
        (ALL_BUT_LAST, 9 * SECOND, [(ALLOWANCE, "social-security", None)]),
        (whole_birth(), 9 * SECOND, []),
    ],
)
def test_waits_name_event_agency_and_cause(
    receipts: Receipts, after_us: int, expected: list[tuple[str, str, Cause | None]]
) -> None:
    """A milestone is waited for from the event before it; what is further down is not yet."""
    waits = assess_all(receipts).waits
    assert [(wait.event, wait.agency, wait.cause(START + after_us)) for wait in waits] == expected


NOT_SENT = set_aside(
    "health", START + SECOND, transaction="case-1", type=f"{RECORD}.v1", origin="records.csv:17"
)


def test_record_of_a_source_that_is_set_aside_makes_its_transaction_stuck_at_once() -> None:
    """The wait says why and where the record is; an event that is published later ends it."""
    assessed = assess_all([*BORN_ONLY, NOT_SENT])
    (wait, _) = assessed.waits
    assert wait.loss == Loss(START + SECOND, "set-aside", "malformed-record", "records.csv:17")
    assert (assessed.state(START + 2 * SECOND), wait.cause(START + 2 * SECOND)) == ("stuck", "set-aside")
    mended = assess_all([*BORN_ONLY, NOT_SENT, published(RECORD, START + 9 * SECOND)])
    assert mended.state(START + 10 * SECOND) == "open"


def test_record_of_a_source_that_became_no_event_starts_nothing() -> None:
    """Its transaction is as one whose event was refused."""
    assert assess_all([NOT_SENT]).state(START + 2 * SECOND) == "refused"


def test_refused_event_says_where_its_record_is() -> None:
    """The dead letter that follows the refusal knows the place."""
    (wait, _) = assess_all([*REFUSED, replace(NOT_SENT, broker_time_us=START + 2 * SECOND)]).waits
    assert wait.loss == Loss(START + SECOND, "refused", "contract-violation", "records.csv:17")


def test_first_loss_of_an_event_is_the_one_that_counts() -> None:
    """Its wait tells when it was lost, how, and the reason."""
    later = refused(NUMBER, START + 5 * SECOND, event_id="again", reason="too-large")
    (_, wait) = assess_all([*GIVEN_UP, later]).waits
    assert wait.loss == Loss(START + 24_000, "dead-letter", "target-rejected")
    earlier = refused(NUMBER, START + 1_000, event_id="first")
    (_, wait) = assess_all([*GIVEN_UP, earlier, later]).waits
    assert wait.loss == Loss(START + 1_000, "refused", "contract-violation")


def test_completion_is_the_last_end_event_and_not_the_last_event() -> None:
    """An event after the ends does not move the end."""
    late_extra = published("statistics.birth-counted", START + 60 * SECOND)
    assert assess_all([*whole_birth(), late_extra]).completed_us == START + 3 * SECOND


def test_second_publish_of_an_end_does_not_move_the_end() -> None:
    """The first broker time of an event counts."""
    again = published(ALLOWANCE, START + 50 * SECOND, event_id="another")
    assert assess_all([*whole_birth(), again]).completed_us == START + 3 * SECOND


def test_a_delivery_neither_proves_nor_dates_a_publish() -> None:
    """It is what another agency than the publisher says."""
    deliveries = [
        delivered(subject, "statistics", START - 9 * MINUTE, started_at_us=START - 9 * MINUTE)
        for subject in (BORN, RECORD, NUMBER, ALLOWANCE)
    ]
    assert assess_all(list(deliveries)).started_us is None
    alone, told = assess_all(BORN_ONLY), assess_all([*BORN_ONLY, *deliveries])
    assert replace(told, last_us=alone.last_us) == alone


def test_discarded_dead_letter_proves_no_publish() -> None:
    """It has the time of the letter, which is later than the event's."""
    discarded = delivered(RECORD, "statistics", START + 90 * SECOND, outcome="discarded", attempt=3)
    assert [wait.event for wait in assess_all([*BORN_ONLY, discarded]).waits] == [RECORD, NUMBER]


def test_a_service_begins_with_its_start_event() -> None:
    """Neither a `startedat` nor an earlier event of another agency makes it look slower than it was."""
    told = published(RECORD, START + SECOND, started_at_us=START - 900 * SECOND)
    other = published("statistics.birth-counted", START - 900 * SECOND, service="another-service")
    assert assess_all([published(BORN, START), told, other]).started_us == START
    assert assess_all([told, other]).tracked is False


def test_a_case_without_its_start_has_no_service() -> None:
    """Whoever may publish an end event cannot complete a service that never began."""
    ends = [published(RECORD, START), published(ALLOWANCE, START)]
    assert assess_all(list(ends)).state(START + SECOND) == "untracked"
    assert assess_all([*BORN_ONLY, *ends]).state(START + SECOND) == "completed"


def test_only_the_publisher_of_the_start_names_the_service() -> None:
    """The first name in the alphabet takes no case away."""
    other = published("statistics.birth-counted", START + SECOND, service="a-service")
    heard = delivered(BORN, "statistics", START, service="a-service")
    services = {**SERVICES, "a-service": replace(BIRTH, name="a-service", start="statistics.begun")}
    assessed = assess(services, [published(BORN, START), other], [heard])
    assert assessed.service == BIRTH.name


def test_no_receipt_is_no_transaction() -> None:
    """There is nothing to say."""
    with pytest.raises(ValueError, match="at least one receipt"):
        assess(SERVICES, [], [])


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("health.record-opened.v1", "health.record-opened"),
        ("health.record-opened.v12", "health.record-opened"),
        ("health.v-sign", "health.v-sign"),
        ("health.vx", "health.vx"),
        ("", ""),
        (".v1", ".v1"),
    ],
)
def test_subject_of_a_type(type_: str, expected: str) -> None:
    """Only a major version is cut off; a foreign type stays as it is."""
    assert subject_of(type_) == expected


def test_end_that_is_no_milestone_is_a_step() -> None:
    """An end event is waited for after the start when nothing else is said of it."""
    service = replace(BIRTH, milestones=BIRTH.milestones[1:])
    assert [(step.event, step.after, step.end) for step in steps(service)] == [
        (NUMBER, BORN, False),
        (ALLOWANCE, NUMBER, True),
        (RECORD, BORN, True),
    ]


MIXED: Receipts = [
    *whole_birth(),
    *GIVEN_UP,
    *REDRIVEN,
    refused(RECORD, START + SECOND),
    NOT_SENT,
    published(RECORD, START + 7 * SECOND),
    delivered(BORN, "health", START, queue_us=90, reason="duplicate"),
    delivered(BORN, "health", START, outcome="retry", reason="abandoned", queue_us=50),
]


@given(st.lists(st.sampled_from(MIXED), min_size=1), st.randoms(use_true_random=False))
def test_order_and_repetition_of_receipts_change_nothing(receipts: Receipts, random: object) -> None:
    """The answer is a function of the set of receipts."""
    shuffled = [*receipts, *receipts[: len(receipts) // 2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a `random.Random`
    assert assess_all(shuffled) == assess_all(receipts)
