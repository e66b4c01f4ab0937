"""The crash kit's verdict: a loss, a swap and a repetition are each seen, and nothing else is."""

from dataclasses import replace

import pytest

from bus.crash.verdict import Accepted, CrashVerdict, Handling, judge

ACCEPTED = [Accepted((0, n), "ab"[n % 2], n) for n in range(6)]


def journal(*numbers: int) -> list[Handling]:
    """Return what was handled, in this order, a second apart."""
    return [Handling(100.0 + at, (0, n), "ab"[n % 2], n) for at, n in enumerate(numbers)]


def test_a_whole_run_is_kept() -> None:
    """Keys may overtake each other; a key's own order holds."""
    verdict = judge(ACCEPTED, journal(1, 0, 3, 5, 2, 4))
    assert verdict == CrashVerdict(accepted=6, lost=0, again=0, twice=0, out_of_order=0)
    assert not verdict.broken


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [((0, 1, 2, 3, 4), {"lost": 1}), ((0, 1, 4, 3, 2, 5), {"out_of_order": 1})],
)
def test_each_broken_promise_is_seen(numbers: tuple[int, ...], expected: dict[str, int]) -> None:
    """Lost by the handler, or overtaken."""
    verdict = judge(ACCEPTED, journal(*numbers))
    found = {"lost": verdict.lost, "twice": verdict.twice, "out_of_order": verdict.out_of_order}
    assert {name: count for name, count in found.items() if count} == expected
    assert verdict.broken


def test_what_comes_again_breaks_nothing_at_least_once() -> None:
    """A repeated event is counted, and its order is that of its first time."""
    verdict = judge(ACCEPTED, journal(0, 1, 2, 3, 0, 1, 2, 3, 4, 5))
    assert (verdict.again, verdict.out_of_order, verdict.broken) == (4, 0, False)


def test_a_fault_that_did_not_happen_proves_nothing() -> None:
    """Such a run counts as broken."""
    assert replace(judge(ACCEPTED, journal(0, 1, 2, 3, 4, 5)), struck=False).broken


def test_the_time_to_the_first_new_event_counts_from_the_restart() -> None:
    """What was handled before it does not count."""
    assert judge(ACCEPTED, journal(0, 1, 2, 3, 4, 5), restarted_at=102.5).restart_seconds == 0.5
    assert judge(ACCEPTED, journal(0), restarted_at=102.5).restart_seconds is None
