"""Durations come from receipts, and the same receipt twice changes nothing."""

from __future__ import annotations

import pytest

from bus import DeliveryReceipt, PublishReceipt
from connectors.demo.timing import Stopwatch, spread
from contracts import Catalog

SECOND = 1_000_000
SERVICE = Catalog.open().services["birth-of-a-child"]
BORN = "civil-registry.birth-registered"


def published(subject: str, at_seconds: float, transaction: str = "t1") -> PublishReceipt:
    """The receipt of an event on the bus."""
    return PublishReceipt(
        event_id=f"{subject}/{transaction}",
        source="urn:govbus:x:y",
        type=f"{subject}.v1",
        version="1.0",
        agency=subject.partition(".")[0],
        service=SERVICE.name,
        transaction=transaction,
        causation=None,
        outcome="published",
        reason=None,
        topic=f"{subject}.v1",
        partition=0,
        offset=0,
        broker_time_us=int(at_seconds * SECOND),
        started_at_us=0,
        recorded_us=0,
        event_time_us=0,
        skew_us=0,
        size_bytes=1,
        data_hash="",
    )


def delivered(subject: str, agency: str, received: float, finished: float) -> DeliveryReceipt:
    """The receipt of an event that a subscriber handled."""
    return DeliveryReceipt(
        event_id=f"{subject}/t1",
        source="urn:govbus:x:y",
        type=f"{subject}.v1",
        version="1.0",
        agency=agency,
        subscription="births",
        purpose="p",
        service=SERVICE.name,
        transaction="t1",
        causation=None,
        outcome="ack",
        reason=None,
        attempt=1,
        topic=f"{subject}.v1",
        partition=0,
        offset=0,
        broker_time_us=0,
        started_at_us=0,
        received_us=int(received * SECOND),
        finished_us=int(finished * SECOND),
        skew_us=0,
        size_bytes=1,
        data_hash="",
    )


WHOLE: list[PublishReceipt | DeliveryReceipt] = [
    published(BORN, 10.0),
    delivered(BORN, "health", 10.5, 11.5),
    published("health.record-opened", 12.0),
    published("tax.taxpayer-number-assigned", 13.0),
    published("social-security.child-allowance-granted", 17.0),
]


def test_a_transaction_lasts_from_its_start_to_its_last_end() -> None:
    """Seven seconds, and no more transactions when every receipt comes twice."""
    stopwatch = Stopwatch()
    stopwatch.add([*WHOLE, *WHOLE])
    took = stopwatch.transactions(SERVICE)
    assert (took.count, took.p50, took.p95, took.p99) == (1, 7.0, 7.0, 7.0)


def test_a_transaction_without_one_of_its_ends_is_not_completed() -> None:
    """Both ends count."""
    stopwatch = Stopwatch()
    stopwatch.add(WHOLE[:-1])
    assert stopwatch.completed(SERVICE) == 0


def test_a_hop_says_how_much_of_it_was_the_bus() -> None:
    """Two seconds to the health record, half a second of it in the queue, one at the office's counter."""
    stopwatch = Stopwatch()
    stopwatch.add(WHOLE)
    step = stopwatch.steps(SERVICE)[0]
    assert (step.took.p50, step.queue.p50, step.handle.p50) == (2.0, 0.5, 1.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], (0, None, None, None)), ([3.0], (1, 3.0, 3.0, 3.0)), (list(range(1, 101)), (100, 50, 95, 99))],
)
def test_percentiles_are_measured_values(
    values: list[float], expected: tuple[int, float | None, float | None, float | None]
) -> None:
    """Nearest rank; of nothing there is none."""
    found = spread(values)
    assert expected == (found.count, found.p50, found.p95, found.p99)
