"""Where a transaction is, by the definition of its service.

Law of this file: pure; `now` is an argument; the same receipts in any order give the same answer.

    refused     nothing of it was ever published
    untracked   it names no service, or one the catalogue doesn't hold: nothing says when it ends
    completed   every end event is published; it ended with the last of them
    stuck       not completed, and an event it waits for is overdue, was refused by the bus, or the
                delivery that should have caused it was given up
    late        not completed, and past the deadline of the whole
    open        not completed, nothing overdue

A milestone is waited for from the moment the event it comes after is published; until then the wait is
upstream. "Late" is also a mark on a completed transaction that took longer than its deadline. A delivery
given up and acknowledged later (a redrive) makes nothing stuck, nor does an event refused and then published.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bus import DeliveryReceipt, PublishReceipt
from contracts import Service
from observability.identity import settle_deliveries, settle_publishes
from observability.latency import Hop, hops
from observability.views import Cause, State

MICROSECONDS = 1_000_000


class Loss(NamedTuple):
    """Why an event will not come by itself, and since when in microseconds since the epoch."""

    at_us: int
    cause: Literal["dead-letter", "refused"]
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """An event that is waited for; times in microseconds since the epoch.

    `due_us` is None without a deadline; `loss` is None unless the bus refused the event, or the delivery
    that should have caused it was given up.
    """

    event: str
    agency: str
    since_us: int
    due_us: int | None
    loss: Loss | None

    @property
    def stuck_at_us(self) -> int | None:
        """The moment after which this wait makes the transaction stuck."""
        lost_us = None if self.loss is None else self.loss.at_us
        return min((at for at in (self.due_us, lost_us) if at is not None), default=None)

    def cause(self, now_us: int) -> Cause | None:
        """Return why the transaction is stuck here, None while the wait is in time."""
        if self.loss is not None and now_us > self.loss.at_us:
            return self.loss.cause
        return "deadline" if self.due_us is not None and now_us > self.due_us else None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the receipts of one transaction say, whatever the time; in microseconds since the epoch.

    `started_us` is None when nothing was published; `completed_us` is None until the last end event;
    `late_at_us` is the deadline of the whole, None for an untracked transaction; `last_us` is the newest
    broker time.
    """

    service: str | None
    tracked: bool
    started_us: int | None
    completed_us: int | None
    late_at_us: int | None
    last_us: int
    waits: tuple[Wait, ...]

    @property
    def stuck_at_us(self) -> int | None:
        """The moment after which the transaction is stuck if no receipt comes."""
        return min((at for wait in self.waits if (at := wait.stuck_at_us) is not None), default=None)

    def is_late(self, now_us: int) -> bool:
        """Return whether it took, or has taken so far, longer than the deadline of its service."""
        return self.late_at_us is not None and (self.completed_us or now_us) > self.late_at_us

    def state(self, now_us: int) -> State:
        """Return the most telling word for the transaction at `now_us`."""
        if self.started_us is None:
            return "refused"
        if not self.tracked:
            return "untracked"
        if self.completed_us is not None:
            return "completed"
        if self.stuck_at_us is not None and now_us > self.stuck_at_us:
            return "stuck"
        return "late" if self.is_late(now_us) else "open"


class ServiceStep(NamedTuple):
    """One event of a service after its start: whom it is waited of, after which event, how long."""

    event: str
    agency: str
    after: str
    deadline_seconds: float | None
    end: bool


def steps(service: Service) -> list[ServiceStep]:
    """Return the milestones of a service, then those of its end events that are no milestone."""
    named = [
        ServiceStep(
            event=milestone.event,
            agency=milestone.agency,
            after=milestone.after or service.start,
            deadline_seconds=milestone.deadline_seconds,
            end=milestone.event in service.ends,
        )
        for milestone in service.milestones
    ]
    bare = set(service.ends) - {step.event for step in named} - {service.start}
    return named + [
        ServiceStep(end, end.partition(".")[0], service.start, None, True) for end in sorted(bare)
    ]


def subject_of(type_: str) -> str:
    """Return the subject of an event type: `health.record-opened.v1` is of `health.record-opened`."""
    subject, _, major = type_.rpartition(".v")
    return subject if subject and major.isdigit() else type_


def assess(
    services: Mapping[str, Service],
    publishes: Iterable[PublishReceipt],
    deliveries: Iterable[DeliveryReceipt],
) -> Assessment:
    """Return what the receipts of one transaction say.

    Args:
        services: the service definitions by name.
        publishes: the publish receipts of the transaction.
        deliveries: the delivery receipts of the transaction.

    Raises:
        ValueError: there is no receipt at all.
    """
    settled = settle_publishes(publishes).values()
    delivered = settle_deliveries(deliveries).values()
    found: list[PublishReceipt | DeliveryReceipt] = [*settled, *delivered]
    if not found:
        raise ValueError("Expected at least one receipt of the transaction, got none")
    # A delivery proves the publish whose own receipt has not come yet.
    seen = [
        receipt for receipt in found if isinstance(receipt, DeliveryReceipt) or receipt.outcome == "published"
    ]
    name = min((receipt.service for receipt in found if receipt.service), default=None)
    service = services.get(name) if name else None
    published = _published(seen)
    started = _started(service, published, seen)
    last = max(map(newest_us, found))
    if service is None or started is None:
        return Assessment(name, service is not None, started, None, None, last, ())
    completed = _completed(service, published)
    losses = {} if completed is not None else _losses(service, settled, hops(delivered))
    waits = () if completed is not None else _waits(service, published, started, losses)
    late_at = started + round(service.deadline_seconds * MICROSECONDS)
    return Assessment(name, True, started, completed, late_at, last, waits)


def newest_us(receipt: PublishReceipt | DeliveryReceipt) -> int:
    """Return the newest broker time a receipt tells, in microseconds since the epoch."""
    return receipt.broker_time_us if isinstance(receipt, PublishReceipt) else receipt.finished_us


def _published(seen: Iterable[PublishReceipt | DeliveryReceipt]) -> dict[str, int]:
    published: dict[str, int] = {}
    for receipt in seen:
        subject = subject_of(receipt.type)
        published[subject] = min(published.get(subject, receipt.broker_time_us), receipt.broker_time_us)
    return published


def _started(
    service: Service | None, published: Mapping[str, int], seen: Iterable[PublishReceipt | DeliveryReceipt]
) -> int | None:
    # A start event that was seen is measured; what later events carry of it is only told.
    if service is not None and service.start in published:
        return min(published.values())
    told = (receipt.started_at_us for receipt in seen if receipt.started_at_us > 0)
    return min([*published.values(), *told], default=None)


def _completed(service: Service, published: Mapping[str, int]) -> int | None:
    if not service.ends or any(end not in published for end in service.ends):
        return None
    return max(published[end] for end in service.ends)


def _waits(
    service: Service, published: Mapping[str, int], started_us: int, losses: Mapping[str, Loss]
) -> tuple[Wait, ...]:
    known = {service.start: started_us, **published}
    waits = []
    for step in steps(service):
        if step.event in known or step.after not in known:
            continue
        since, seconds = known[step.after], step.deadline_seconds
        due = None if seconds is None else since + round(seconds * MICROSECONDS)
        waits.append(Wait(step.event, step.agency, since, due, losses.get(step.event)))
    return tuple(sorted(waits, key=lambda wait: (wait.since_us, wait.event)))


def _losses(service: Service, publishes: Iterable[PublishReceipt], found: Iterable[Hop]) -> dict[str, Loss]:
    """Return the first loss of each event of a service."""
    losses: dict[str, Loss] = {}

    def lose(event: str, loss: Loss) -> None:
        losses[event] = min(loss, losses.get(event, loss))

    for receipt in publishes:
        if receipt.outcome == "refused":
            lose(subject_of(receipt.type), Loss(receipt.broker_time_us, "refused", receipt.reason or ""))
    for last in (hop.last for hop in found if hop.last.outcome == "dead-letter"):
        for step in steps(service):
            if (step.after, step.agency) == (subject_of(last.type), last.agency):
                lose(step.event, Loss(last.finished_us, "dead-letter", last.reason or ""))
    return losses
