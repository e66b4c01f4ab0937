"""Durations and percentiles, on the broker's clock.

Law of this file: pure arithmetic over receipts; neither their order nor duplicates change a result.

    published ---- queue ----> first received ---- handle (all retries) ----> handled

A percentile is the nearest rank: of n values in order, the ceil(n * p / 100)-th, as SQL's `percentile_disc`.
It is always a measured value; with n < 100 the p99 is the largest. An empty sample has no percentile: None.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low

from bus import DeliveryReceipt
from observability.identity import is_attempt
from observability.views import Percentiles


def percentile(values: Collection[int], percent: int) -> int | None:
    """Return the nearest-rank percentile of `values`, None if there are none.

    Args:
        values: in any order and any unit.
        percent: 1 to 100.

    Raises:
        ValueError: `percent` is outside 1 to 100.
    """
    if not 1 <= percent <= 100:
        raise ValueError(f"Expected a percentile from 1 to 100, got {percent}")
    if not values:
        return None
    return sorted(values)[-(-len(values) * percent // 100) - 1]


def percentiles(values_us: Collection[int]) -> Percentiles:
    """Return p50, p95 and p99 in milliseconds of durations in microseconds."""
    ordered = sorted(values_us)
    p50, p95, p99 = (milliseconds(percentile(ordered, percent)) for percent in (50, 95, 99))
    return Percentiles(len(ordered), p50, p95, p99)


def milliseconds(microseconds: int | None) -> float | None:
    """Return microseconds in milliseconds; None stays None."""
    return None if microseconds is None else microseconds / 1000


def skew(latest_first_us: Sequence[int]) -> tuple[float | None, float | None]:
    """Return the median and the newest clock skew in milliseconds, both None without a sample.

    Args:
        latest_first_us: broker clock minus agency clock in microseconds, the newest first.
    """
    if not latest_first_us:
        return None, None
    return median_low(latest_first_us) / 1000, latest_first_us[0] / 1000


@dataclass(frozen=True, slots=True)
class Hop:
    """One event to one subscription of one agency; times in microseconds since the epoch.

    `last` is the delivery that decides the outcome: the earliest ack, else the latest attempt. `handled_us`
    is None while a retry is pending; `attempts` is the highest attempt seen.
    """

    last: DeliveryReceipt
    published_us: int
    received_us: int
    handled_us: int | None
    attempts: int

    @property
    def queue_us(self) -> int:
        """Published to first received, in microseconds; below zero if a clock is wrong."""
        return self.received_us - self.published_us

    @property
    def handle_us(self) -> int | None:
        """First received to handled, in microseconds; below zero if a clock is wrong."""
        return None if self.handled_us is None else self.handled_us - self.received_us


def hops(deliveries: Iterable[DeliveryReceipt]) -> list[Hop]:
    """Return one hop per event and subscription, in the order of publication."""
    attempts: dict[tuple[str, str, str, str], list[DeliveryReceipt]] = defaultdict(list)
    for delivery in deliveries:
        if not is_attempt(delivery.outcome):
            continue
        key = (delivery.source, delivery.event_id, delivery.agency, delivery.subscription)
        attempts[key].append(delivery)
    return sorted((_hop(found) for found in attempts.values()), key=_by_publication)


def _hop(found: list[DeliveryReceipt]) -> Hop:
    if len(found) == 1:  # as nearly all
        (last,) = found
        handled_us = None if last.outcome == "retry" else last.finished_us
        return Hop(last, last.broker_time_us, last.received_us, handled_us, last.attempt)
    acks = [delivery for delivery in found if delivery.outcome == "ack"]
    last = min(acks, key=_by_finish) if acks else max(found, key=_by_attempt)
    return Hop(
        last=last,
        published_us=min(delivery.broker_time_us for delivery in found),
        received_us=min(delivery.received_us for delivery in found),
        handled_us=None if last.outcome == "retry" else last.finished_us,
        attempts=max(delivery.attempt for delivery in found),
    )


def _by_finish(delivery: DeliveryReceipt) -> tuple[int, int]:
    return delivery.finished_us, delivery.attempt


def _by_attempt(delivery: DeliveryReceipt) -> tuple[int, int, str]:
    return delivery.attempt, delivery.finished_us, delivery.outcome


def _by_publication(hop: Hop) -> tuple[int, int, str, str, str]:
    last = hop.last
    return hop.published_us, hop.received_us, last.event_id, last.agency, last.subscription
