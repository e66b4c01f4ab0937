"""Durations come from what `govbus transactions list --json` prints."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.demo.monitor_query import MonitorReport, spread
from contracts import Catalog

SERVICE = Catalog.open().services["birth-of-a-child"]
BORN = "civil-registry.birth-registered"


def hop(subject: str, published: float, subscriber: str | None = None, **facts: Any) -> dict[str, Any]:
    """An event that was published so many seconds after noon, and its way to a subscriber."""
    unknown = {"queue_ms": None, "handle_ms": None, "outcome": "ack" if subscriber else "published"}
    at = f"2026-11-30T12:00:{published:09.6f}Z"
    return {"subject": subject, "published": at, "subscriber": subscriber, **unknown, **facts}


def report(state: str = "completed") -> MonitorReport:
    """The report of one transaction."""
    hops = [
        hop(BORN, 10.0, "health", queue_ms=500.0, handle_ms=1000.0),
        hop("health.record-opened", 12.0),
        hop("tax.taxpayer-number-assigned", 13.0),
        hop("social-security.child-allowance-granted", 17.0),
    ]
    return MonitorReport([{"service": SERVICE.name, "state": state, "duration_ms": 7000.0, "hops": hops}])


def test_a_transaction_lasts_from_its_start_to_its_last_end() -> None:
    """Seven seconds."""
    took = report().took(SERVICE)
    assert (took.count, took.p50, took.p95, took.p99) == (1, 7.0, 7.0, 7.0)


def test_a_transaction_that_is_open_is_not_completed() -> None:
    """Its state decides, and its time does not count."""
    assert report("open").completed(SERVICE) == 0


def test_a_hop_says_how_much_of_it_was_the_bus() -> None:
    """Two seconds to the health record, half a second of it in the queue, one at the office's counter."""
    step = report().hops(SERVICE)[0]
    assert (step.took.p50, step.queue.p50, step.handle.p50) == (2.0, 0.5, 1.0)


def test_a_delivery_that_waits_for_its_next_try_has_a_queue_and_no_handling() -> None:
    """What is not handled has no time yet, and what was refused was not published."""
    waits = hop(BORN, 10.0, "health", queue_ms=500.0, outcome="retry")
    refused = hop("health.record-opened", 11.0, outcome="refused")
    hops = [waits, refused, hop("health.record-opened", 12.0)]
    found = MonitorReport([{"service": SERVICE.name, "state": "open", "hops": hops}]).hops(SERVICE)[0]
    assert (found.took.p50, found.queue.count, found.handle.count) == (2.0, 1, 0)


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
