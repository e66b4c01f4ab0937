"""The journals of a long run: what is missing, repeated or out of order in them is found."""

from pathlib import Path

import pytest

from bus.crash.journals import JournalVerdict, PublishLatency, compare, publish_latency

ACCEPTED = [
    (1.0, 1.1, 0, 0, "a", 0),
    (2.0, 2.5, 0, 1, "b", 1),
    (3.0, 3.1, 1, 0, "a", 2),
    (4.0, 9.0, 0, 2, "a", 3),
]
HANDLED = [(1.2, 0, 0, "a", 0), (2.6, 0, 1, "b", 1), (3.2, 1, 0, "a", 2), (9.1, 0, 2, "a", 3)]


def compared(folder: Path, handled: list[tuple[object, ...]]) -> JournalVerdict:
    """Write both journals and compare them."""
    for name, rows in (("accepted", ACCEPTED), ("handled", handled)):
        (folder / name).write_text("".join(f"{' '.join(map(str, row))}\n" for row in rows))
    return compare(folder / "accepted", folder / "handled")


def test_what_was_handled_once_and_in_order_is_all_well(tmp_path: Path) -> None:
    """Nothing is found."""
    assert compared(tmp_path, [*HANDLED]) == JournalVerdict(4, 0, 0, 0)


def test_an_event_that_nobody_handled_is_lost(tmp_path: Path) -> None:
    """Whatever was handled beside it."""
    assert compared(tmp_path, [*HANDLED[:2], HANDLED[3]]).lost == 1


def test_an_event_that_was_handled_again_is_counted_and_not_out_of_order(tmp_path: Path) -> None:
    """Its first time counts for the order."""
    assert compared(tmp_path, [*HANDLED, (9.5, 0, 0, "a", 0)]) == JournalVerdict(4, 0, 1, 0)


def test_an_event_that_was_overtaken_by_a_later_one_of_its_key_is_out_of_order(tmp_path: Path) -> None:
    """One of another key may go first."""
    assert compared(tmp_path, [HANDLED[1], HANDLED[2], (3.3, 0, 0, "a", 0), HANDLED[3]]).out_of_order == 1


def test_a_line_that_was_cut_by_a_kill_counts_for_nothing(tmp_path: Path) -> None:
    """The event is in the next process' lines, or lost."""
    assert compared(tmp_path, [*HANDLED[:3], (9.1, 0)]).lost == 1


def test_no_journal_is_everything_lost(tmp_path: Path) -> None:
    """A subscription that never came to anything."""
    compared(tmp_path, [])
    (tmp_path / "handled").unlink()
    assert compare(tmp_path / "accepted", tmp_path / "handled").lost == 4


def test_latency_near_a_fault_is_counted_apart(tmp_path: Path) -> None:
    """It counts from when an event was due, so that a publisher that stood still hides nothing."""
    compared(tmp_path, [])
    near, far = publish_latency(tmp_path / "accepted", [3.5], 1.0)
    assert (near.events, near.most) == (1, 5.0)
    assert (far.events, far.most) == (3, 0.5)
    assert far.p50 == pytest.approx(0.1)
    assert PublishLatency.of([]) == PublishLatency(0, 0.0, 0.0, 0.0)
