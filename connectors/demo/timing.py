"""How long each service and each hop took, read from the bus' receipts, on the broker's clock. Pure.

A transaction runs from its start event to the last of its end events; a step from the event it waits for to
the step's own event. Percentiles are the nearest rank: always a value that was measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from bus import DeliveryReceipt, PublishReceipt
from contracts import Service

__all__ = ["Spread", "Step", "Stopwatch", "spread"]

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles in seconds; None where nothing was measured."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """One hop of a service.

    Attributes:
        after: The event it waits for.
        event: The event it ends with.
        took: From the one to the other.
        queue: How much of that the event lay on the bus before its subscriber first had it.
        handle: How much the subscriber's delivery took, with all retries.
    """

    after: str
    event: str
    took: Spread
    queue: Spread
    handle: Spread


def spread(seconds: Collection[float]) -> Spread:
    """Return the percentiles of durations in seconds."""
    ordered = sorted(seconds)

    def rank(percent: int) -> float | None:
        return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None

    return Spread(len(ordered), rank(50), rank(95), rank(99))


class Stopwatch:
    """Gathers receipts; the same receipt twice changes nothing."""

    def __init__(self) -> None:
        self._published: dict[str, dict[str, int]] = defaultdict(dict)
        self._received: dict[tuple[str, str, str], int] = {}
        self._finished: dict[tuple[str, str, str], int] = {}

    def add(self, receipts: Iterable[PublishReceipt | DeliveryReceipt]) -> None:
        """Take receipts in; a transaction's first event of a type counts, a later one is a repetition."""
        for receipt in receipts:
            subject = receipt.type.rpartition(".v")[0]
            times = self._published[receipt.transaction]
            if receipt.outcome == "published":
                times[subject] = min(receipt.broker_time_us, times.get(subject, receipt.broker_time_us))
            elif isinstance(receipt, DeliveryReceipt):
                key = (receipt.transaction, subject, receipt.agency)
                self._received[key] = min(receipt.received_us, self._received.get(key, receipt.received_us))
                if receipt.outcome == "ack" and receipt.reason is None:
                    self._finished.setdefault(key, receipt.finished_us)

    def transactions(self, service: Service) -> Spread:
        """Return how long the completed transactions of a service took."""
        return spread(list(self._durations(service)))

    def completed(self, service: Service) -> int:
        """Return how many transactions of a service have all their end events on the bus."""
        return sum(1 for _ in self._durations(service))

    def _durations(self, service: Service) -> Iterable[float]:
        for times in self._published.values():
            if service.start in times and all(end in times for end in service.ends):
                last = max(times[end] for end in service.ends)
                yield (last - times[service.start]) / MICROSECONDS

    def steps(self, service: Service) -> Sequence[Step]:
        """Return the hops of a service, in the order of its definition."""
        return [
            self._step(milestone.after or service.start, milestone.event, milestone.agency)
            for milestone in service.milestones
        ]

    def _step(self, after: str, event: str, agency: str) -> Step:
        took, queue, handle = [], [], []
        for transaction, times in self._published.items():
            if after not in times or event not in times:
                continue
            took.append((times[event] - times[after]) / MICROSECONDS)
            key = (transaction, after, agency)
            if key in self._received:
                queue.append(max(0, self._received[key] - times[after]) / MICROSECONDS)
            if key in self._finished and key in self._received:
                handle.append(max(0, self._finished[key] - self._received[key]) / MICROSECONDS)
        return Step(after, event, spread(took), spread(queue), spread(handle))
