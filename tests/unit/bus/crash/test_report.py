"""The report of crash runs: sums, worst cases, and how to repeat a broken run."""

from dataclasses import replace

from bus.crash.report import CrashRun, summarize, total
from bus.crash.verdict import CrashVerdict


def test_a_broken_seed_is_named_so_that_it_can_be_seen_again() -> None:
    """Figures of all runs are added, the worst ones kept."""
    kept, broken = CrashVerdict(6, 0, 2, 0, 0), CrashVerdict(6, 1, 5, 0, 0)
    (line,) = summarize(
        [CrashRun("zombie", "at-least-once", 1, kept), CrashRun("zombie", "at-least-once", 2, broken)]
    )
    assert (line.runs, line.total.lost, line.most_again, line.broken_seeds) == (2, 1, 5, (2,))


def test_all_subscriptions_together() -> None:
    """Counts are added; the slowest restart counts."""
    one = CrashVerdict(6, 1, 2, 0, 0, restart_seconds=1.0, dead_letters=1)
    both = total([one, replace(one, restart_seconds=2.0, waiting=3)])
    assert both == CrashVerdict(12, 2, 4, 0, 0, restart_seconds=2.0, dead_letters=2, waiting=3)
