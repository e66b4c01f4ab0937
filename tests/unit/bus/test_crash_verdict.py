"""The crash kit's verdict: a loss, a swap and a repetition are each seen, and nothing else is."""

import subprocess
import sys

import pytest

from bus.crash.report import Run, summarize
from bus.crash.verdict import Accepted, Handled, Verdict, judge
from bus.crash_points import POINTS

ACCEPTED = [Accepted((0, n), "ab"[n % 2], n) for n in range(6)]


def journal(*numbers: int) -> list[Handled]:
    """Return what was handled, in this order, a second apart."""
    return [Handled(100.0 + at, (0, n), "ab"[n % 2], n) for at, n in enumerate(numbers)]


def test_a_whole_run_is_kept() -> None:
    """Keys may overtake each other; a key's own order holds."""
    verdict = judge(ACCEPTED, journal(1, 0, 3, 5, 2, 4))
    assert verdict == Verdict(accepted=6, lost=0, again=0, twice=0, out_of_order=0)
    assert not verdict.broken


@pytest.mark.parametrize(
    ("numbers", "published", "expected"),
    [
        ((0, 1, 2, 3, 4), None, {"lost": 1}),
        ((0, 1, 4, 3, 2, 5), None, {"out_of_order": 1}),
        ((0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4), {"lost": 1}),
        ((0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 5, 5), {"twice": 1}),
    ],
)
def test_each_broken_promise_is_seen(
    numbers: tuple[int, ...], published: tuple[int, ...] | None, expected: dict[str, int]
) -> None:
    """Lost by the handler or by the reader of its results, overtaken, seen twice."""
    verdict = judge(ACCEPTED, journal(*numbers), published=published)
    found = {"lost": verdict.lost, "twice": verdict.twice, "out_of_order": verdict.out_of_order}
    assert {name: count for name, count in found.items() if count} == expected
    assert verdict.broken


def test_what_comes_again_breaks_nothing_at_least_once() -> None:
    """A repeated event is counted, and its order is that of its first time."""
    verdict = judge(ACCEPTED, journal(0, 1, 2, 3, 0, 1, 2, 3, 4, 5))
    assert (verdict.again, verdict.out_of_order, verdict.broken) == (4, 0, False)


def test_a_fault_that_did_not_come_proves_nothing() -> None:
    """Such a run is no good run."""
    assert judge(ACCEPTED, journal(0, 1, 2, 3, 4, 5), struck=False).broken


def test_the_time_to_the_first_new_event_counts_from_the_restart() -> None:
    """What was handled before is not meant."""
    assert judge(ACCEPTED, journal(0, 1, 2, 3, 4, 5), restarted_at=102.5).restart_seconds == 0.5
    assert judge(ACCEPTED, journal(0), restarted_at=102.5).restart_seconds is None


def test_a_broken_seed_is_named_so_that_it_can_be_seen_again() -> None:
    """Figures of all runs are added, the worst ones kept."""
    kept, broken = Verdict(6, 0, 2, 0, 0), Verdict(6, 1, 5, 0, 0)
    (line,) = summarize([Run("zombie", "at-least-once", 1, kept), Run("zombie", "at-least-once", 2, broken)])
    assert (line.runs, line.lost, line.most_again, line.broken_seeds) == (2, 1, 5, (2,))


@pytest.mark.parametrize("point", sorted(POINTS))
def test_an_armed_process_dies_at_the_passing_that_was_asked_for(point: str) -> None:
    """Not before, and at no other point."""
    program = f"""
from bus.crash_points import POINTS, crash_point
for name in POINTS:
    if name != {point!r}:
        for _ in range(9):
            crash_point(name)
for passing in range(1, 9):
    print(passing, flush=True)
    crash_point({point!r})
"""
    child = subprocess.run(
        [sys.executable, "-c", program],
        env={"GOVBUS_CRASH": f"{point}:3:SIGKILL"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (child.returncode, child.stdout.split()) == (-9, ["1", "2", "3"])
