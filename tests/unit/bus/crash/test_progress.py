"""The progress of a run: when nothing more is expected."""

from bus.crash.progress import Progress
from tests.unit.bus.crash.receipts import ACCEPTED, row, rows


def test_a_run_is_over_when_all_is_done_or_nothing_more_is_to_come() -> None:
    """After a while without news what was parked or passed over is left; the rest is waited for."""
    expected = [("a", one.position) for one in ACCEPTED]
    progress = Progress()
    progress.take([*rows(0, 1, 4), row(2, "retry", "handler-failed")], now=100.0)
    assert not progress.is_settled(expected[:5], now=114.0)
    assert progress.is_settled(expected[:5], now=116.0)
    assert not progress.is_settled(expected, now=999.0)
    progress.take([*rows(2, 3), row(5, "dead-letter", "handler-failed")], now=1_000.0)
    assert progress.is_settled(expected, now=1_000.0)
