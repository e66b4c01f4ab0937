"""A transaction drawn to scale."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.console.waterfall import AXIS, LEAST, Bar, ticks, waterfall
from observability.views import HopView, TransactionView, WaitView

START = datetime(2026, 9, 21, tzinfo=UTC)


def at(milliseconds: float) -> datetime:
    """Return the time so many milliseconds after the start."""
    return START + timedelta(milliseconds=milliseconds)


def hop(published_ms: float, queue_ms: float | None, handle_ms: float | None) -> HopView:
    """Return one hop, published so many milliseconds after the start."""
    received = None if queue_ms is None else at(published_ms + queue_ms)
    handled = None if received is None or handle_ms is None else received + timedelta(milliseconds=handle_ms)
    return HopView(
        event_id="1",
        type="tax.taxpayer-number-assigned.v1",
        subject="tax.taxpayer-number-assigned",
        publisher="tax",
        subscriber=None if received is None else "social-security",
        subscription=None if received is None else "allowances",
        purpose=None,
        published=at(published_ms),
        received=received,
        handled=handled,
        queue_ms=queue_ms,
        handle_ms=handle_ms,
        outcome="published" if received is None else "ack",
        reason=None,
        attempts=0 if received is None else 1,
    )


def transaction(*hops: HopView, took_ms: float = 1_000, waits: tuple[WaitView, ...] = ()) -> TransactionView:
    """Return a transaction of these hops."""
    return TransactionView(
        id="case-1",
        service="birth-of-a-child",
        state="open" if waits else "completed",
        late=False,
        started=START,
        ended=None if waits else at(took_ms),
        due=None,
        duration_ms=took_ms,
        waits_for=waits,
        hops=hops,
    )


def test_bars_are_to_scale() -> None:
    """A hop of a quarter of the time takes a quarter of the axis, from where it began."""
    drawn = waterfall(transaction(hop(500, 100, 250)), at(5_000))
    assert drawn.total_ms == 1_000
    assert drawn.rows[0].bars == (Bar("queue", 500.0, 100.0), Bar("handle", 600.0, 250.0))
    assert drawn.rows[0].took_ms == 350


def test_a_short_hop_can_still_be_seen() -> None:
    """A bar is never thinner than the least width, and never leaves the axis for it."""
    bar = waterfall(transaction(hop(1_000, 0.001, None)), at(1_000)).rows[0].bars[0]
    assert bar == Bar("queue", AXIS - LEAST, LEAST)


def test_an_event_nobody_received_is_a_mark() -> None:
    """What has only been published has a moment and no length."""
    assert waterfall(transaction(hop(500, None, None)), at(1_000)).rows[0].bars == (
        Bar("mark", 500.0, LEAST),
    )


def test_a_wait_runs_until_now() -> None:
    """What a transaction waits for is drawn as long as it has been waiting."""
    wait = WaitView("health.record-opened", "health", at(1_000), None, None, None)
    drawn = waterfall(transaction(hop(0, 10, 10), took_ms=2_000, waits=(wait,)), at(4_000))
    assert drawn.total_ms == 4_000
    assert drawn.rows[1].wait == wait
    assert drawn.rows[1].bars == (Bar("wait", 250.0, 750.0),)


@pytest.mark.parametrize(
    ("total_ms", "marks"),
    [
        (1_000, [0, 500, 1_000]),
        (4_999, [0, 1_000, 2_000, 3_000, 4_000]),
        (95_000, [0, 20_000, 40_000, 60_000, 80_000]),
    ],
)
def test_marks_are_round_numbers(total_ms: float, marks: list[float]) -> None:
    """The axis is marked at one, two or five times a power of ten."""
    assert marks == pytest.approx([tick.ms for tick in ticks(total_ms)])


@given(st.floats(min_value=0.01, max_value=1e12))
def test_an_axis_has_few_marks_and_keeps_them(total_ms: float) -> None:
    """Two to six marks, the first at zero, none beyond the end."""
    marks = ticks(total_ms)
    assert 2 <= len(marks) <= 6
    assert marks[0].ms == 0
    assert all(0 <= mark.x <= AXIS for mark in marks)


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e9), st.floats(0, 1e9), st.floats(0, 1e9)), max_size=5),
    st.floats(0, 1e9),
)
def test_no_bar_leaves_the_axis(hops: list[tuple[float, float, float]], took_ms: float) -> None:
    """Whatever an agency's clock says, the drawing stays in its frame."""
    drawn = waterfall(transaction(*(hop(*each) for each in hops), took_ms=took_ms), at(took_ms))
    for row in drawn.rows:
        for bar in row.bars:
            assert 0 <= bar.x <= AXIS
            assert LEAST <= bar.width <= AXIS
            assert bar.x + bar.width <= AXIS + 0.02
