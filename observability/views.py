"""What a reader of the store gets: frozen values, no database, no clock.

    ServiceView      one service of the catalogue: counts, percentiles, coverage of its milestones
    TransactionView  one transaction: its state, what it waits for, its hops in order of publication
      WaitView       an event it waits for, of whom, since when, until when
      HopView        one event to one subscriber (or to none yet)
    BreakdownView    where the time of a service goes
      StepView       from the event a milestone waits for to the milestone
      PathView       one event to one subscription: queue and handling
    AgencyView       one agency: traffic and clock
    DeadLetterView   one delivery given up, or one record that never became an event
    SummaryView      totals and freshness of everything the store holds

Times are aware UTC datetimes on the broker's clock. Durations name their unit. No view holds personal
data, because no receipt does.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["open", "completed", "late", "stuck", "refused", "untracked"]
"""The most telling word for one transaction; the rules are in `observability.transactions`.

`completed` every end event is published (look at `late` for "in time?"); `stuck` not completed, and an
event it waits for is overdue, was refused, or its delivery was given up; `late` not completed, past the
deadline of the service; `open` not completed, nothing overdue; `refused` nothing of it was ever published;
`untracked` no service definition says when it ends.
"""

Cause = Literal["deadline", "dead-letter", "refused"]
"""Why a wait makes its transaction stuck."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Nearest-rank percentiles of a sample in milliseconds; all None when the sample is empty."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class WaitView:
    """An event a transaction waits for.

    `since` is when the event before it was published; `due` is `since` plus the milestone's deadline,
    None when it has none; `cause` is None as long as the wait is in time; `reason` is of the refusal or the
    dead letter.
    """

    event: str
    agency: str
    since: datetime
    due: datetime | None
    cause: Cause | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class HopView:
    """One event on its way to one subscription, or an event nobody has received (`subscriber` None).

    `queue_ms` runs from published to first received, `handle_ms` from first received to handled, with
    all retries between; both are None while unknown. `outcome` is the last word of the subscription:
    an ack wins, else the latest attempt; "published" when nobody has received it; "refused" when the
    bus did not let it in. One of `published`, `refused`, `ack`, `retry`, `dead-letter`.
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
    outcome: str
    reason: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class TransactionView:
    """One transaction at the moment of the read.

    `duration_ms` is start to end when completed, else start to now; `late` is true for a completed
    transaction too when it took longer than the deadline; `due` is start plus the service's deadline.
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
    """One event a service is made of, and how often it was seen."""

    event: str
    agency: str
    after: str | None
    deadline_seconds: float | None
    end: bool
    seen: int


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service of the catalogue, measured.

    `started` = `open` + `completed`. `open` counts all not completed, of which `stuck` are stuck;
    `late` counts those past the deadline, completed (`completed_late`) or not. `on_time_share` is
    completed in time / (completed + open past the deadline), None when that is 0/0. The percentiles are
    of start to end, over the last `window` completed transactions. `inclusive` says that it has a channel
    that needs no device of one's own. `coverage` is the share of the definition's events seen at least
    once.
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
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    window: int
    on_time_share: float | None
    milestones: tuple[MilestoneView, ...]
    coverage: float


@dataclass(frozen=True, slots=True)
class StepView:
    """From the event a milestone waits for to the milestone, over a window of completed transactions."""

    after: str
    event: str
    agency: str
    deadline_seconds: float | None
    took: Percentiles


@dataclass(frozen=True, slots=True)
class PathView:
    """One event to one subscription of an agency, over a window of the latest deliveries."""

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
    """Where the time of one service goes."""

    service: str
    steps: tuple[StepView, ...]
    paths: tuple[PathView, ...]


@dataclass(frozen=True, slots=True)
class AgencyView:
    """One agency that has published or received.

    `skew_ms` is the median of broker clock minus agency clock over its latest receipts (positive: the
    agency's clock is behind), `latest_skew_ms` the newest. `refused` counts its events that the bus did not
    let in, `set_aside` its records that never became an event, `delivered` and `dead_lettered` deliveries to
    it, acknowledged and given up; `handle_p95_ms` is their received-to-handled time over a window. What has
    no sample is None.
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


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """One dead letter: a delivery that was given up, or a record of a source that never became an event.

    Topic, partition and offset are of the event that was given up; of the dead letter itself where there
    never was an event: then `subscription` is None and `attempts` 0. `type` is empty and `transaction` None
    where the record could not be read. `resolved` is true when the same subscription acknowledged the
    event afterwards (a redrive).
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
    resolved: bool


@dataclass(frozen=True, slots=True)
class SummaryView:
    """Totals over everything the store holds.

    `transactions` = `open` + `completed` + `untracked`; `stuck` are among `open`; `late` may be either.
    `refused` counts events the bus did not let in, `dead_letters` deliveries given up and not yet
    resolved, and records of sources that never became an event; `undecodable` records of the receipts topic
    that held no receipts. `freshness` is the newest receipt's broker time, None when the store is empty.
    """

    transactions: int
    open: int
    completed: int
    late: int
    stuck: int
    untracked: int
    refused: int
    dead_letters: int
    published: int
    delivered: int
    receipts: int
    undecodable: int
    freshness: datetime | None
