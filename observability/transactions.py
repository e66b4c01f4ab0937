"""The state of a transaction, by the definition of its service.

Law of this file: pure; `now` is an argument; the order of receipts changes nothing.

    refused     no publisher says that it published an event of it
    untracked   no publisher says that it began a service of the catalogue, so its end is unknown
    completed   every end event is published; it ended with the last of them
    stuck       not completed, and an event it waits for is overdue or was refused by the bus, or what should
                have caused it became a dead letter: a delivery, or the record of a source
    agency-silent   not completed, not stuck, and an agency it waits for receives nothing; see
                `observability.evidence.silence`
    late        not completed, and past the deadline of the service
    open        not completed, nothing overdue

A transaction waits for a milestone from the moment the event before it is published, and from its start at
the earliest: that may have been published again after an outage, and an agency that dates its own event back
makes nobody else late. A completed transaction that took longer than the deadline is marked late too. A dead
letter that is redriven and acknowledged leaves nothing stuck, nor does an event that was refused and
published later. A case is of the service whose start another agency has received: nobody else can tell of an
event in a case before the case is known.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from bus import DeliveryReceipt, PublishReceipt
from contracts import Service
from observability.evidence.silence import NOBODY, Addressee, Silences
from observability.identity import AnyReceipt, is_attempt
from observability.latency import hops
from observability.views import Cause, State

MICROSECONDS = 1_000_000


class Loss(NamedTuple):
    """Why an event will not come without help, and since when, in microseconds since the epoch.

    `origin` is where the source's record is, as `file:line` or `table:position`, empty if there is none.
    """

    at_us: int
    cause: Literal["dead-letter", "set-aside", "refused"]
    reason: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """An event that a transaction waits for; times in microseconds since the epoch.

    `after` is the event before it, and `received` whether its agency has received that, or need not over
    the bus. `due_us` is None without a deadline; `loss` is None unless the bus refused the event, or what
    should have caused it became a dead letter.
    """

    event: str
    agency: str
    since_us: int
    due_us: int | None
    loss: Loss | None
    after: str = ""
    received: bool = True

    @property
    def stuck_at_us(self) -> int | None:
        """When this wait makes the transaction stuck, None if never."""
        lost_us = None if self.loss is None else self.loss.at_us
        return min((at for at in (self.due_us, lost_us) if at is not None), default=None)

    def silent_since_us(self, silences: Silences) -> int | None:
        """Return since when its agency receives nothing of what it should answer, None if it does."""
        silent = not self.received and silences.meet(Addressee(self.agency, self.after), self.since_us)
        return self.since_us if silent else None

    def cause(self, now_us: int, silences: Silences = NOBODY) -> Cause | None:
        """Return why the event does not come, None while nothing is wrong."""
        if self.loss is not None and now_us > self.loss.at_us:
            return self.loss.cause
        if self.silent_since_us(silences) is not None:
            return "agency-silent"
        return "deadline" if self.due_us is not None and now_us > self.due_us else None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the receipts of one transaction show, whatever the time now; in microseconds since the epoch.

    `kept_refusals` counts the refused events that are among the dead letters too, as records of a source.
    `started_us` is None if nothing was published, `completed_us` until the last end event; `late_at_us` is
    when the service is due, None for an untracked transaction; `last_us` is the newest broker time.
    """

    service: str | None
    tracked: bool
    started_us: int | None
    completed_us: int | None
    late_at_us: int | None
    last_us: int
    waits: tuple[Wait, ...]
    kept_refusals: int = 0

    @property
    def stuck_at_us(self) -> int | None:
        """When the transaction becomes stuck unless another receipt comes, None if never."""
        return min((at for wait in self.waits if (at := wait.stuck_at_us) is not None), default=None)

    def is_late(self, now_us: int) -> bool:
        """Return whether it took, or has taken so far, longer than its deadline."""
        return self.late_at_us is not None and (self.completed_us or now_us) > self.late_at_us

    def state(self, now_us: int, silences: Silences = NOBODY) -> State:
        """Return the state of the transaction at `now_us`, while these agencies are silent."""
        if self.started_us is None:
            return "refused"
        if not self.tracked:
            return "untracked"
        if self.completed_us is not None:
            return "completed"
        if self.stuck_at_us is not None and now_us > self.stuck_at_us:
            return "stuck"
        if any(wait.silent_since_us(silences) is not None for wait in self.waits):
            return "agency-silent"
        return "late" if self.is_late(now_us) else "open"


class ServiceStep(NamedTuple):
    """An event that a service expects: from which agency, after which event, within how long."""

    event: str
    agency: str
    after: str
    deadline_seconds: float | None
    end: bool


def steps(service: Service) -> list[ServiceStep]:
    """Return the milestones of a service, then its end events that are no milestones."""
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


@lru_cache(maxsize=4_096)
def subject_of(type_: str) -> str:
    """Return the subject of an event type: `health.record-opened` of `health.record-opened.v1`."""
    subject, _, major = type_.rpartition(".v")
    return subject if subject and major.isdigit() else type_


def assess(
    services: Mapping[str, Service],
    publishes: Collection[PublishReceipt],
    deliveries: Collection[DeliveryReceipt],
    grants: Collection[Addressee] | None = None,
) -> Assessment:
    """Return what the receipts of one transaction show.

    Args:
        services: the service definitions by name.
        publishes: the receipts of the transaction's publishes, of each the one that counts.
        deliveries: the receipts of its deliveries, of each the one that counts.
        grants: which agency may receive which events; all of them if None.

    Raises:
        ValueError: there is no receipt at all.
    """
    found: list[AnyReceipt] = [*publishes, *deliveries]
    if not found:
        raise ValueError("Expected at least one receipt of the transaction, got none")
    # What a delivery or a later event says of the start is not believed: it is another agency's event.
    seen = [receipt for receipt in publishes if receipt.outcome == "published"]
    published = _published(seen)
    service = _service(services, seen, deliveries)
    last = max(map(newest_us, found))
    kept = _kept_refusals(publishes)
    if service is None:
        name = min((receipt.service for receipt in seen or found if receipt.service), default=None)
        return Assessment(name, False, min(published.values(), default=None), None, None, last, (), kept)
    started = published[service.start]
    published = {event: max(at_us, started) for event, at_us in published.items()}
    completed = _completed(service, published)
    waits: tuple[Wait, ...] = ()
    if completed is None:
        losses = _losses(service, publishes, deliveries)
        received = {
            Addressee(receipt.agency, subject_of(receipt.type))
            for receipt in deliveries
            if is_attempt(receipt.outcome)
        }
        waits = _waits(service, published, started, losses, received=received, grants=grants)
    late_at = started + round(service.deadline_seconds * MICROSECONDS)
    return Assessment(service.name, True, started, completed, late_at, last, waits, kept)


def newest_us(receipt: AnyReceipt) -> int:
    """Return the newest broker time in a receipt, in microseconds since the epoch."""
    return receipt.broker_time_us if isinstance(receipt, PublishReceipt) else receipt.finished_us


def _service(
    services: Mapping[str, Service], seen: Iterable[PublishReceipt], deliveries: Iterable[DeliveryReceipt]
) -> Service | None:
    """Return the service of the transaction: that of its start event, as its publisher says.

    Of several starts it is the first that another agency has received, else the first.
    """
    starts = [
        (receipt, service)
        for receipt in seen
        if (service := services.get(receipt.service or "")) and service.start == subject_of(receipt.type)
    ]
    if len(starts) > 1:
        received = {(_record(one), one.agency) for one in deliveries if is_attempt(one.outcome)}
        known = [
            (start, service)
            for start, service in starts
            if any(record == _record(start) and agency != start.agency for record, agency in received)
        ]
        starts = known or starts
    return min(starts, key=lambda each: (each[0].broker_time_us, each[1].name), default=(None, None))[1]


def _record(receipt: AnyReceipt) -> tuple[object, ...]:
    return receipt.source, receipt.event_id, receipt.topic, receipt.partition, receipt.offset


def _kept_refusals(publishes: Collection[PublishReceipt]) -> int:
    """Return how many refused events left a dead letter of their source too."""
    if all(receipt.outcome == "published" for receipt in publishes):
        return 0
    counted = Counter((receipt.outcome, receipt.agency, receipt.type) for receipt in publishes)
    return sum(
        min(number, counted["dead-letter", agency, type_])
        for (outcome, agency, type_), number in counted.items()
        if outcome == "refused"
    )


def _published(seen: Iterable[PublishReceipt]) -> dict[str, int]:
    published: dict[str, int] = {}
    for receipt in seen:
        subject = subject_of(receipt.type)
        published[subject] = min(published.get(subject, receipt.broker_time_us), receipt.broker_time_us)
    return published


def _completed(service: Service, published: Mapping[str, int]) -> int | None:
    if not service.ends or any(end not in published for end in service.ends):
        return None
    return max(published[end] for end in service.ends)


def _waits(
    service: Service,
    published: Mapping[str, int],
    started_us: int,
    losses: Mapping[str, Loss],
    *,
    received: Collection[Addressee],
    grants: Collection[Addressee] | None,
) -> tuple[Wait, ...]:
    known = {service.start: started_us, **published}
    waits = []
    for step in steps(service):
        if step.event in known or step.after not in known:
            continue
        since, seconds = known[step.after], step.deadline_seconds
        due = None if seconds is None else since + round(seconds * MICROSECONDS)
        has = _has(step, received, grants)
        waits.append(Wait(step.event, step.agency, since, due, losses.get(step.event), step.after, has))
    return tuple(sorted(waits, key=lambda wait: (wait.since_us, wait.event)))


def _has(step: ServiceStep, received: Collection[Addressee], grants: Collection[Addressee] | None) -> bool:
    """Return whether the agency of a step has received the event before it, or need not over the bus."""
    addressee = Addressee(step.agency, step.after)
    own = step.after.partition(".")[0] == step.agency
    return own or addressee in received or (grants is not None and addressee not in grants)


def _losses(
    service: Service, publishes: Iterable[PublishReceipt], deliveries: Collection[DeliveryReceipt]
) -> dict[str, Loss]:
    """Return the first loss of each event of a service."""
    losses: dict[str, Loss] = {}

    def lose(event: str, loss: Loss) -> None:
        # A record that the bus refuses leaves two receipts, and only its dead letter says where it is.
        first, other = sorted((loss, losses.get(event, loss)))
        losses[event] = first._replace(origin=first.origin or other.origin)

    for receipt in publishes:
        at_us, reason = receipt.broker_time_us, receipt.reason or ""
        match receipt.outcome:
            case "published":
                continue
            case "refused":
                lose(subject_of(receipt.type), Loss(at_us, "refused", reason))
            case "dead-letter":
                lose(subject_of(receipt.type), Loss(at_us, "set-aside", reason, receipt.origin or ""))
    if all(receipt.outcome != "dead-letter" for receipt in deliveries):
        return losses
    for last in (hop.last for hop in hops(deliveries) if hop.last.outcome == "dead-letter"):
        for step in steps(service):
            if (step.after, step.agency) == (subject_of(last.type), last.agency):
                lose(step.event, Loss(last.finished_us, "dead-letter", last.reason or ""))
    return losses
