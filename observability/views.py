"""What the store returns: frozen values. Pure.

    ServiceView      one service of the catalogue: counts, percentiles, coverage of its milestones
    TransactionView  one transaction: its state, what it waits for, its hops in order of publication
      WaitView       an event it waits for, from which agency, since when, until when
      HopView        one event to one subscriber, or not received yet
    BreakdownView    how long the milestones and deliveries of a service take
      StepView       from the event before a milestone to the milestone
      PathView       one event to one subscription: queue and handling
    AgencyView       one agency: traffic and clock
    DeadLetterView   one dead letter: a delivery, or a source record that became no event
    GonePlaceView    where a subscription's place in a partition was gone, and what it missed
    RefusalView      receipts of one agency that are not believed, and why, or not checked yet
    SummaryView      totals over all receipts, and the time of the newest one

Times are aware UTC datetimes on the broker's clock. Durations name their unit. No view holds personal
data, because no receipt does.
"""

import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bus import DeliveryOutcome, PublishOutcome
from observability.evidence.trust import Fault

State = Literal["open", "completed", "late", "stuck", "agency-silent", "refused", "untracked"]
"""The state of a transaction; `observability.transactions` defines each."""

LetterState = Literal["open", "redriven", "discarded"]
"""What became of a dead letter."""

Cause = Literal["deadline", "dead-letter", "set-aside", "refused", "agency-silent"]
"""Why an event does not come: it is overdue; the one before it is a dead letter of its agency; the record
that should have become it was set aside by its source; the bus refused it; or its agency receives nothing.
The last alone does not make the transaction stuck."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Nearest-rank percentiles of a sample in milliseconds, all None if the sample is empty."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class WaitView:
    """An event a transaction waits for.

    `since` is when the event before it was published; `due` is `since` plus the deadline of the milestone,
    None if it has none; `cause` is None while nothing is wrong; `reason` is that of the refusal or the dead
    letter; `origin` is where the source's record is that was set aside, as `file:line` or `table:position`;
    `silent_since` is the oldest event that a silent agency has not received.
    """

    event: str
    agency: str
    since: datetime
    due: datetime | None
    cause: Cause | None
    reason: str | None
    origin: str | None = None
    silent_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class HopView:
    """One event to one subscription, or an event that no subscription has received (`subscriber` is None).

    `queue_ms` is from published to first received, `handle_ms` from first received to handled, all retries
    included; both are None while unknown. `outcome` is `ack` once the subscription acknowledged the event,
    else that of its latest attempt (`retry`, `dead-letter`); without a subscription it is `published` or
    `refused`. `dead_letter` is what became of the dead letter that the subscription made of it, None if it
    made none: `redriven` once the event was acknowledged after it.
    """

    event_id: str
    type: str
    subject: str
    publisher: str
    subscriber: str | None
    subscription: str | None
    purpose: str | None
    published: datetime
    received: datetime | None
    handled: datetime | None
    queue_ms: float | None
    handle_ms: float | None
    outcome: PublishOutcome | DeliveryOutcome
    reason: str | None
    attempts: int
    dead_letter: LetterState | None = None


@dataclass(frozen=True, slots=True)
class TransactionView:
    """One transaction at the moment of the read.

    `duration_ms` is from start to end, or to now if not completed; `late` is true for a completed transaction
    too if it took longer than the deadline; `due` is the start plus the deadline of the service.
    """

    id: str
    service: str | None
    state: State
    late: bool
    started: datetime
    ended: datetime | None
    due: datetime | None
    duration_ms: float
    waits_for: tuple[WaitView, ...]
    hops: tuple[HopView, ...]


@dataclass(frozen=True, slots=True)
class MilestoneView:
    """One event that a service defines, and how often it was published."""

    event: str
    agency: str
    after: str | None
    deadline_seconds: float | None
    end: bool
    seen: int


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service of the catalogue with its measurements.

    `started` = `open` + `completed`. `open` counts all that are not completed, `stuck` ones included; `late`
    counts those past the deadline, completed (`completed_late`) or not. `on_time_share` is completed in time
    / (completed + open past the deadline), None for 0/0. The percentiles are of the newest `window` completed
    transactions, from start to end. `inclusive` is true if one of the channels needs no device of one's own.
    `coverage` is the share of the defined events that were published at least once.
    """

    name: str
    title: str
    category: str
    channels: tuple[str, ...]
    inclusive: bool
    deadline_seconds: float
    started: int
    open: int
    completed: int
    completed_late: int
    late: int
    stuck: int
    agency_silent: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    window: int
    on_time_share: float | None
    milestones: tuple[MilestoneView, ...]
    coverage: float


@dataclass(frozen=True, slots=True)
class StepView:
    """Time from the event before a milestone to the milestone, over the newest completed transactions."""

    after: str
    event: str
    agency: str
    deadline_seconds: float | None
    took: Percentiles


@dataclass(frozen=True, slots=True)
class PathView:
    """One event to one subscription of an agency, over the newest deliveries."""

    type: str
    publisher: str
    subscriber: str
    subscription: str
    queue: Percentiles
    handle: Percentiles
    retried: int
    dead_lettered: int


@dataclass(frozen=True, slots=True)
class BreakdownView:
    """How long each milestone and each delivery path of one service takes."""

    service: str
    steps: tuple[StepView, ...]
    paths: tuple[PathView, ...]


@dataclass(frozen=True, slots=True)
class AgencyActivity:
    """What an agency did last, and what waits for it.

    `received`, `handled` and `published` are when it last did each, None if never. `lag_ms` is the age of the
    oldest event that one of its subscriptions has not received, 0 if there is none. `silent_since` is the
    oldest event that waits for it while it receives nothing, None unless it is silent. `halted` counts the
    partitions of its subscriptions that wait for an operator. `owes` counts the
    events that cases in flight wait for from it, `owes_since` is since when the oldest waits.
    """

    received: datetime | None
    handled: datetime | None
    published: datetime | None
    lag_ms: float
    silent_since: datetime | None
    halted: int
    owes: int
    owes_since: datetime | None


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """One subscription of an agency in one topic.

    `lag_ms` is the age of the oldest event that it has not received, by the times of records; 0 if it has
    received all.
    """

    agency: str
    subscription: str
    topic: str
    lag_ms: float


@dataclass(frozen=True, slots=True)
class AgencyView:
    """One agency that has published or received.

    `skew_ms` is the median of broker clock minus agency clock over its newest receipts (positive: the
    agency's clock is behind), `latest_skew_ms` that of the newest. `refused` counts its events that the bus
    refused, `set_aside` its source records that became no event, `delivered` and `dead_lettered` the
    deliveries to it; `handle_p95_ms` is from received to handled, over the newest deliveries. Without a
    sample a value is None.
    """

    name: str
    skew_ms: float | None
    latest_skew_ms: float | None
    published: int
    delivered: int
    refused: int
    set_aside: int
    dead_lettered: int
    handle_p95_ms: float | None
    activity: AgencyActivity | None


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """One dead letter: a delivery, or a source record that became no event.

    Topic, partition and offset are those of the event; without an event those of the dead letter, and then
    `subscription` is None, `attempts` 0, and `origin` where the record is. `type` is empty and `transaction`
    None if they are not known. `resolved` is true if the event was acknowledged later (a redrive) or an
    operator discarded it.
    """

    event_id: str
    type: str
    publisher: str
    agency: str
    subscription: str | None
    reason: str | None
    attempts: int
    time: datetime
    transaction: str | None
    service: str | None
    topic: str
    partition: int
    offset: int
    origin: str | None
    resolved: bool


@dataclass(frozen=True, slots=True)
class GonePlaceView:
    """A subscription's place in a partition that was gone, because of `reason`.

    `offset` was next, last known at `since`. At `time` the subscription went on elsewhere, with `lost`
    offsets gone unread, or halted. `halted` is true while it waits for an operator.
    """

    agency: str
    subscription: str
    topic: str
    partition: int
    offset: int
    reason: str
    lost: int
    since: datetime
    time: datetime
    halted: bool

    @property
    def go_on(self) -> str:
        """The command with which an operator says where it goes on, for a shell."""
        # The end of a log that is lost holds no mark any more.
        begin = "start" if self.reason == "records-lost" else "recorded"
        name, agency = shlex.quote(self.subscription), shlex.quote(self.agency)
        return (
            f"govbus subscriptions go-on {name} --agency {agency} --from {begin} "
            f"--why {shlex.quote(self.reason.replace('-', ' '))}"
        )


@dataclass(frozen=True, slots=True)
class RefusalView:
    """How many receipts of `agency` are not believed, by the faults of `observability.evidence.trust`.

    The latest was noted at `latest`, by the monitor's clock, and is `about` an agency. `unchecked` is no
    fault: these count until their topics can be asked about them; `undated` neither: their topics keep the
    times of publishers, and say nothing of theirs. The latest of these was written at `latest`.
    """

    agency: str
    fault: Fault | Literal["unchecked", "undated"]
    receipts: int
    about: str
    latest: datetime


@dataclass(frozen=True, slots=True)
class SummaryView:
    """Totals over all receipts.

    `transactions` = `open` + `completed` + `untracked`. Of the open ones each is counted once under `stuck`,
    `agency_silent` or `late_in_flight`, or under none while nothing is wrong; `completed_late` are among the
    completed. `late` counts all past the deadline, whatever else they are. `refused` counts events that the
    bus refused, `refused_unkept` those of them that are not among the dead letters too, `dead_letters` those
    not resolved, `undecodable` records of receipts topics without readable receipts, `unchecked` publishes
    whose topics could not be asked about them yet, `future` receipts from after the monitor's own time,
    `backwards` those whose event was received before it was published, or handled before it was received.
    `halted` counts partitions in which a subscription waits for an operator's word. `freshness` is the broker
    time of the newest receipt, None if there is none.
    """

    transactions: int
    open: int
    completed: int
    late: int
    stuck: int
    agency_silent: int
    late_in_flight: int
    completed_late: int
    untracked: int
    refused: int
    refused_unkept: int
    dead_letters: int
    published: int
    delivered: int
    receipts: int
    undecodable: int
    future: int
    backwards: int
    unchecked: int
    halted: int
    freshness: datetime | None
