"""What the receipts tell of a run: done, set aside, waiting, not come to, or lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from bus.crash.account import account, total
from bus.crash.heard import Heard
from bus.crash.samples import Samples, read_events, samples_for
from bus.crash.verdict import Accepted, Verdict
from bus.receipts.receipts import DeliveryReceipt
from contracts import Catalog

ACCEPTED = [Accepted(("t", 0, n), "ab"[n % 2], n) for n in range(6)]
CATALOG = Catalog.open()


def row(number: int, outcome: str = "ack", reason: str | None = None, at: int = 0) -> DeliveryReceipt:
    """Return a receipt of one delivery, finished `at` seconds."""
    return DeliveryReceipt(
        event_id=str(number), source="s", type="t", version="1.0", agency="a", subscription="a", purpose="p",
        service=None, transaction="x", causation=None, outcome=outcome, reason=reason, attempt=1, topic="t",
        partition=0, offset=number, broker_time_us=0, started_at_us=0, received_us=0,
        finished_us=at * 1_000_000, skew_us=0, size_bytes=1, data_hash="",
    )  # fmt: skip


def rows(*numbers: int) -> list[DeliveryReceipt]:
    """Return receipts of good ends, in this order, a second apart."""
    return [row(number, at=at) for at, number in enumerate(numbers)]


def test_a_whole_run_is_kept() -> None:
    """Every event was handled, each key in its order."""
    assert account(ACCEPTED, rows(1, 0, 2, 3, 5, 4), ()) == Verdict(6, 0, 0, 0, 0)


def test_what_was_passed_over_is_lost() -> None:
    """Something later of its partition has a receipt, so its own position was passed."""
    verdict = account(ACCEPTED, rows(0, 1, 3, 4, 5), ())
    assert (verdict.lost, verdict.unreached, verdict.broken) == (1, 0, True)


def test_what_lies_behind_the_last_receipt_was_not_come_to() -> None:
    """It is no loss, and no proof either; the same for one that a resting partition tries again."""
    verdict = account(ACCEPTED, [*rows(0, 1, 2), row(3, "retry", "target-unavailable")], ())
    assert (verdict.lost, verdict.unreached, verdict.broken) == (0, 3, True)


def test_what_is_set_aside_or_parked_is_not_lost() -> None:
    """The subscription's own policy says so; a promise is kept."""
    found = [*rows(0, 1), row(2, "dead-letter", "handler-failed"), row(4, "retry", "key-parked"), *rows(3, 5)]
    verdict = account(ACCEPTED, found, {("t", 0, 4)})
    assert (verdict.dead_letters, verdict.waiting, verdict.lost, verdict.broken) == (1, 1, 0, False)


def test_what_was_parked_and_is_there_no_more_is_lost() -> None:
    """A receipt that says `retry` is no proof that the event still waits."""
    found = [*rows(0, 1, 2, 3), row(4, "retry", "key-parked"), *rows(5)]
    assert account(ACCEPTED, found, ()).lost == 1


def test_a_duplicate_that_was_passed_over_is_no_handling() -> None:
    """Neither does it count again, nor does it make up for a handling that never was."""
    again = [*rows(0, 1, 2, 3, 4, 5), row(3, reason="duplicate")]
    assert account(ACCEPTED, again, ()).again == 0
    assert account(ACCEPTED, [*rows(0, 1, 2, 4, 5), row(3, reason="duplicate")], ()).lost == 1


@pytest.mark.parametrize(("exactly_once", "twice"), [(True, 1), (False, 0)])
def test_twice_is_broken_where_it_may_be_once_only(*, exactly_once: bool, twice: int) -> None:
    """At least once it may come again."""
    verdict = account(ACCEPTED, rows(0, 1, 2, 3, 4, 5, 5), (), exactly_once=exactly_once)
    assert (verdict.again, verdict.twice, verdict.broken) == (1, twice, exactly_once)


def test_an_order_is_broken_if_paper_and_time_say_so() -> None:
    """A receipt that was sent again stands late in its topic, and is no proof."""
    assert account(ACCEPTED, rows(0, 1, 4, 3, 2, 5), ()).out_of_order == 1
    late = [row(0, at=0), row(1, at=1), row(4, at=4), row(3, at=3), row(2, at=2), row(5, at=5)]
    assert account(ACCEPTED, late, ()).out_of_order == 0


def test_other_events_of_the_topic_do_not_count() -> None:
    """What somebody else published is none of the run's."""
    assert account(ACCEPTED, [*rows(0, 1, 2, 3, 4, 5), row(99)], ()) == account(
        ACCEPTED, rows(0, 1, 2, 3, 4, 5), ()
    )


def test_all_subscriptions_together() -> None:
    """Counts are added; the slowest restart counts."""
    one = Verdict(6, 1, 2, 0, 0, restart_seconds=1.0, dead_letters=1)
    both = total([one, replace(one, restart_seconds=2.0, waiting=3)])
    assert both == Verdict(12, 2, 4, 0, 0, restart_seconds=2.0, dead_letters=2, waiting=3)


def test_a_run_is_over_when_all_is_done_or_nothing_more_is_to_come() -> None:
    """After a while without news what was parked or passed over is left; the rest is waited for."""
    owed = [("a", one.place) for one in ACCEPTED]
    heard = Heard()
    heard.take([*rows(0, 1, 4), row(2, "retry", "handler-failed")], now=100.0)
    assert not heard.is_settled(owed[:5], now=114.0)
    assert heard.is_settled(owed[:5], now=116.0)
    assert not heard.is_settled(owed, now=999.0)
    heard.take([*rows(2, 3), row(5, "dead-letter", "handler-failed")], now=1_000.0)
    assert heard.is_settled(owed, now=1_000.0)


@pytest.mark.parametrize("subject", sorted(CATALOG.contracts))
def test_every_contract_has_events_of_its_own_references(subject: str) -> None:
    """Whatever the form of its key: what is made is valid, and no two are the same case."""
    contract = CATALOG.contract(subject)
    samples = samples_for(contract, contract.versions[-1].major, None, {})
    made = [samples.sample(number) for number in range(60)]
    assert all(samples.version.is_valid(one.data) for one in made)
    assert len({contract.key_of(one.data) for one in made}) == 60
    assert len({one.key for one in made}) == 24


def test_given_events_are_published_as_they_are(tmp_path: Path) -> None:
    """Over and over, under the key that was given, else the contract's own."""
    file = tmp_path / "events.jsonl"
    file.write_text(
        '{"subject": "health.fitness-to-drive-certified", "data": {"reference": "DRV-2026-ZZ3310"}}\n\n'
        '{"subject": "health.fitness-to-drive-certified", "data": {"reference": "b"}, "key": "k"}\n'
    )
    (given,) = read_events(file).values()
    samples = Samples(CATALOG.contract("health.fitness-to-drive-certified").version(1), given=given)
    assert [samples.sample(n).key for n in range(3)] == ["DRV-2026-ZZ3310", "k", "DRV-2026-ZZ3310"]
