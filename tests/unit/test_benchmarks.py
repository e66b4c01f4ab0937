"""The pure parts of the benchmarks: sizes, orders, medians, goals, latencies."""

import orjson
import pytest

from tests.benchmarks.country import Country, applications, number_of, reference
from tests.benchmarks.job import Job, Result
from tests.benchmarks.plan import PAYLOADS, Plan
from tests.benchmarks.report import cells
from tests.benchmarks.rows import (
    Goal,
    Opponent,
    latencies_ms,
    orders,
    own_row,
    percentile,
    rate_rows,
    resident_after,
)

AT_LEAST_HALF = Goal(0.5, at_least=True)


@pytest.mark.parametrize("size_bytes", PAYLOADS)
def test_a_payload_has_its_size_and_keeps_the_contract(
    size_bytes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Every size is exact, and the bus would take it."""
    country = Country(tmp_path_factory.mktemp("catalog") / "c", "00000001")
    contract = country.write().contract(country.subject)
    for data in applications(size_bytes, 3, first=41):
        assert len(orjson.dumps(data)) == size_bytes
        assert contract.version().violations(data) == ()
        assert contract.key_of(data) == data["reference"]


def test_a_case_has_a_number() -> None:
    """The number of a case can be read from its reference."""
    assert number_of(reference(1234)) == 1234


def test_everybody_runs_once_a_round_and_another_first() -> None:
    """Whoever runs first has a colder broker, so the order rotates."""
    assert list(orders(["a", "b", "c"], 4)) == [
        ("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"), ("a", "b", "c"),
    ]  # fmt: skip


def test_a_ratio_is_of_medians() -> None:
    """One slow round of five changes nothing."""
    results = {"govbus": _rates(90, 100, 5), "other": _rates(100, 1000, 200)}
    [row] = rate_rows("publish", "what", 200, [Opponent("other", "Other", AT_LEAST_HALF)], results)
    assert (row.ours_median, row.theirs_median, row.ratio, row.met) == (90.0, 200.0, 0.45, False)


def test_a_goal_may_depend_on_the_payload() -> None:
    """Small events cost more beside their bytes than large ones do."""
    other = Opponent("other", "Other", AT_LEAST_HALF, goals={200: Goal(0.9, at_least=True)})
    results = {"govbus": _rates(80), "other": _rates(100)}
    assert [rate_rows("publish", "what", size, [other], results)[0].met for size in (200, 1024)] == [
        False,
        True,
    ]


def test_a_ratio_of_rates_under_load_is_not_given() -> None:
    """At a load above 3 a wall time says what else ran; the processor time per event still counts."""
    quiet, loaded = (
        {
            "govbus": [Result(100, 1.0, cpu_seconds=0.004, load=2.0)],
            "other": [Result(100, 1.0, cpu_seconds=0.001, load=load)],
        }
        for load in (3.0, 3.1)
    )
    opponent = Opponent("other", "Other", Goal(0.3, at_least=True, of="CPU"))
    [calm], [busy] = (rate_rows("publish", "what", 200, [opponent], results) for results in (quiet, loaded))
    assert (calm.ratio, calm.cpu_ratio, calm.met) == (1.0, 0.25, False)
    assert (busy.ratio, busy.cpu_ratio, busy.met) == (None, 0.25, False)
    assert (cells(calm)[5], cells(busy)[5]) == ("1.00", "under load")
    assert own_row(busy, Goal(1, at_least=True, of="own")).met is None


def test_who_could_not_run_is_named() -> None:
    """A missing figure has its reason, and no ratio."""
    results = {"govbus": _rates(100), "other": [Result(skipped="not installed")]}
    [row] = rate_rows("publish", "what", 200, [Opponent("other", "Other", AT_LEAST_HALF)], results)
    assert (row.ratio, row.met, row.skipped) == (None, None, "not installed")


def test_latency_counts_from_when_an_event_was_due() -> None:
    """An event held up by a stall of the publisher is late by the whole stall; the warm-up does not count."""
    published = Result(4, 0.004, started_ns=1_000_000_000)
    arrived = [1_900_000_000, 1_001_500_000, 1_012_000_000, 0]
    read = Result(3, arrivals_ns=arrived)
    assert latencies_ms(published, read, warm_up=1, rate=1000) == [0.5, 10.0]


@pytest.mark.parametrize(("percent", "expected"), [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0)])
def test_percentiles_are_values_that_were_seen(percent: float, expected: float) -> None:
    """Nearest rank: nothing is made up between two values."""
    assert percentile([float(n) for n in range(1, 1001)], percent) == expected


def test_memory_is_a_median_after_a_count() -> None:
    """What was resident before does not count, and one spike does not either."""
    noted = [(90, 1_000_000), (100, 5_000_000), (110, 90_000_000), (120, 6_000_000), (200, 7_000_000)]
    assert resident_after(noted, 100, 20) == 6.0
    assert resident_after(noted, 500, 20) is None


def test_jobs_and_results_survive_the_way_to_a_child() -> None:
    """What is sent to a process and back is what was meant."""
    job = Job("publish/govbus", "127.0.0.1:9092", "folder", "mark", 200, 10, warm_up=1, profile=True)
    result = Result(3, 1.5, 0.7, 2.5, 1, 7, [1, 2], [(10, 20)], [(0.5, 2, "main")], "")
    assert Job.from_json(job.to_json()) == job
    assert Result.from_json(result.to_json()) == result


def test_a_plan_counts_its_processes() -> None:
    """The progress bar ends where the run does."""
    assert Plan(sections=("publish",), payloads=(200,), rounds=2).children() == 7
    assert Plan(sections=("latency", "memory"), latency_rounds=3).children() == 14


def _rates(*rates: float) -> list[Result]:
    return [Result(int(rate), 1.0) for rate in rates]
