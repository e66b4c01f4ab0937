"""How long things took."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.latency import hops, percentile, percentiles, skew
from observability.views import Percentiles
from tests.unit.observability.country import BORN, START, delivered


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([7], 1, 7),
        ([7], 99, 7),
        ([1, 2], 50, 1),
        ([1, 2], 51, 2),
        ([1, 2, 3], 50, 2),
        ([15, 20, 35, 40, 50], 30, 20),
        ([15, 20, 35, 40, 50], 40, 20),
        ([15, 20, 35, 40, 50], 100, 50),
        (list(range(1, 101)), 95, 95),
        (list(range(1, 101)), 99, 99),
        (list(range(1, 102)), 99, 100),
        ([3, 1, 2], 100, 3),
    ],
)
def test_percentile_is_the_nearest_rank(values: list[int], percent: int, expected: int | None) -> None:
    """Of n values in order, p is the ceil(n * p / 100)-th, exactly, for small n too."""
    assert percentile(values, percent) == expected


@given(st.lists(st.integers(), min_size=1), st.integers(1, 100))
def test_percentile_is_a_measured_value_that_so_many_do_not_exceed(values: list[int], percent: int) -> None:
    """At least p percent of the values are at or below it, and fewer are below it."""
    found = percentile(values, percent)
    assert found is not None
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


@pytest.mark.parametrize("percent", [0, 101, -5])
def test_percentile_outside_1_to_100_is_refused(percent: int) -> None:
    """There is no such rank."""
    with pytest.raises(ValueError, match="from 1 to 100"):
        percentile([1], percent)


def test_percentiles_of_nothing_are_unknown() -> None:
    """An empty sample has a count and no percentile."""
    assert percentiles([]) == Percentiles(0, None, None, None)


def test_percentiles_are_milliseconds_of_microseconds() -> None:
    """Receipts are in microseconds, views in milliseconds."""
    assert percentiles([1_500]) == Percentiles(1, 1.5, 1.5, 1.5)


@pytest.mark.parametrize(
    ("latest_first", "expected"),
    [
        ([], (None, None)),
        ([-500], (-0.5, -0.5)),
        ([9_000, 1_000, 2_000], (2.0, 9.0)),
        ([4_000, 2_000], (2.0, 4.0)),
    ],
)
def test_skew_is_the_median_and_the_newest(
    latest_first: list[int], expected: tuple[float | None, float | None]
) -> None:
    """One wild clock reading does not move an agency's skew."""
    assert skew(latest_first) == expected


def test_hop_runs_from_published_to_received_to_handled() -> None:
    """Queue and handling add up to the whole hop."""
    (hop,) = hops([delivered(BORN, "health", START, queue_us=4_000, handle_us=20_000)])
    assert (hop.queue_us, hop.handle_us, hop.attempts) == (4_000, 20_000, 1)


def test_hop_with_retries_is_received_once_and_handled_last() -> None:
    """Handling runs from the first receipt to the ack, the waits between attempts included."""
    (hop,) = hops(
        [
            delivered(BORN, "health", START, queue_us=9_000_000, attempt=2),
            delivered(BORN, "health", START, queue_us=5_000, outcome="retry", reason="handler-failed"),
        ]
    )
    assert (hop.last.outcome, hop.attempts) == ("ack", 2)
    assert (hop.queue_us, hop.handle_us) == (5_000, 9_000_000 + 20_000 - 5_000)


def test_hop_waiting_for_its_retry_is_not_handled() -> None:
    """A retry is no end."""
    (hop,) = hops([delivered(BORN, "health", START, outcome="retry", reason="handler-failed")])
    assert hop.handle_us is None


@pytest.mark.parametrize("ack_attempt", [1, 4])
def test_ack_is_the_last_word_after_a_dead_letter(ack_attempt: int) -> None:
    """A redriven delivery that was acknowledged is acknowledged."""
    given_up = delivered(BORN, "health", START, outcome="dead-letter", reason="target-rejected", attempt=3)
    acked = delivered(BORN, "health", START, attempt=ack_attempt, queue_us=60_000_000)
    (hop,) = hops([given_up, acked])
    assert hop.last == acked


def test_two_subscriptions_of_an_agency_are_two_hops() -> None:
    """An agency may receive an event for two purposes."""
    found = hops(
        [
            delivered(BORN, "health", START, subscription="open"),
            delivered(BORN, "health", START, subscription="count"),
        ]
    )
    assert [hop.last.subscription for hop in found] == ["count", "open"]


def test_a_duration_below_zero_is_shown_as_it_is() -> None:
    """It says that a clock is wrong, which zero would hide."""
    (hop,) = hops([delivered(BORN, "health", START, queue_us=-300, handle_us=-10)])
    assert (hop.queue_us, hop.handle_us) == (-300, -10)
