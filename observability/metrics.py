"""The metrics that the monitor reads from the store; dashboards and alerts use these names.

Law of this file: every value is read from the database at export, so a restart or a replay of receipts
changes no curve. Label values come from the catalogue and the closed set of reasons; no transaction, event or
person is ever a label. The metrics of the bus itself are in `bus.telemetry`.

Prometheus sees the names with `_` for `.`, the unit at the end, and `_total` on counters:
`govbus.service.started` becomes `govbus_service_started_total`, `govbus.service.duration`, in `s`,
becomes `govbus_service_duration_seconds`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from observability.database.gone import GoneCount
from observability.database.store import Store
from observability.metrics_snapshot import MetricsSnapshot, SnapshotCache
from observability.views import AgencyView, PathView, Percentiles, ServiceView

Observe = Callable[[MetricsSnapshot], Iterable[Observation]]

METER = "govbus.observability"
"""The instrumentation scope of these metrics."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One instrument; `observe` returns its values and labels from a snapshot."""

    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    description: str
    labels: tuple[str, ...]
    observe: Observe


def _of_service(value: Callable[[ServiceView], float | None]) -> Observe:
    def observe(snapshot: MetricsSnapshot) -> Iterator[Observation]:
        for service in snapshot.services:
            if (found := value(service)) is not None:
                yield Observation(found, {"service": service.name})

    return observe


def _completed(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    for service in snapshot.services:
        late = service.completed_late
        yield Observation(service.completed - late, {"service": service.name, "on_time": "true"})
        yield Observation(late, {"service": service.name, "on_time": "false"})


def _durations(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    for service in snapshot.services:
        took = Percentiles(service.window, service.p50_ms, service.p95_ms, service.p99_ms)
        yield from _quantiles(took, {"service": service.name})


def _paths(part: Callable[[PathView], Percentiles]) -> Observe:
    def observe(snapshot: MetricsSnapshot) -> Iterator[Observation]:
        for breakdown in snapshot.breakdowns:
            for path in breakdown.paths:
                labels = {"service": breakdown.service, "event": path.type, "agency": path.subscriber}
                yield from _quantiles(part(path), labels)

    return observe


def _quantiles(took: Percentiles, labels: dict[str, str]) -> Iterator[Observation]:
    for quantile, value in (("0.5", took.p50_ms), ("0.95", took.p95_ms), ("0.99", took.p99_ms)):
        if value is not None:
            yield Observation(value / 1000, {**labels, "quantile": quantile})


def _steps(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    for breakdown in snapshot.breakdowns:
        for step in breakdown.steps:
            labels = {"service": breakdown.service, "event": step.event, "agency": step.agency}
            yield from _quantiles(step.took, labels)


def _of_agency(value: Callable[[AgencyView], float | None]) -> Observe:
    def observe(snapshot: MetricsSnapshot) -> Iterator[Observation]:
        for agency in snapshot.agencies:
            if (found := value(agency)) is not None:
                yield Observation(found / 1000, {"agency": agency.name})

    return observe


def _events(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    for agency in snapshot.agencies:
        yield Observation(agency.published, {"agency": agency.name, "outcome": "published"})
        yield Observation(agency.refused, {"agency": agency.name, "outcome": "refused"})
        yield Observation(agency.set_aside, {"agency": agency.name, "outcome": "dead-letter"})


def _deliveries(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    for agency in snapshot.agencies:
        yield Observation(agency.delivered, {"agency": agency.name, "outcome": "ack"})
        yield Observation(agency.dead_lettered, {"agency": agency.name, "outcome": "dead-letter"})


def _dead_letters(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    for agency, reason, number in snapshot.dead_letters:
        yield Observation(number, {"agency": agency, "reason": reason})


def _lags(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    for agency, event, lag_ms in snapshot.lags:
        yield Observation(lag_ms / 1000, {"agency": agency, "event": event})


def _not_checked(why: str) -> Callable[[MetricsSnapshot], Iterator[Observation]]:
    def observed(snapshot: MetricsSnapshot) -> Iterator[Observation]:
        for agency in snapshot.agencies:
            yield Observation(snapshot.not_checked.get((agency.name, why), 0), {"agency": agency.name})

    return observed


_PLACES = ("agency", "event", "reason")


def _gone(value: Callable[[GoneCount], int]) -> Observe:
    def observe(snapshot: MetricsSnapshot) -> Iterator[Observation]:
        for found in snapshot.gone:
            labels = dict(zip(_PLACES, (found.agency, found.topic, found.reason), strict=True))
            yield Observation(value(found), labels)

    return observe


def _silent(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    for agency in snapshot.agencies:
        if agency.activity is not None:
            since = agency.activity.silent_since
            seconds = 0.0 if since is None else (snapshot.at - since).total_seconds()
            yield Observation(max(0.0, seconds), {"agency": agency.name})


def _owed(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    for agency in snapshot.agencies:
        if agency.activity is not None:
            yield Observation(agency.activity.owes, {"agency": agency.name})


def _since_last(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    for agency in snapshot.agencies:
        if agency.activity is not None:
            for act in ("received", "handled", "published"):
                last = getattr(agency.activity, act)
                if last is not None:
                    seconds = max(0.0, (snapshot.at - last).total_seconds())
                    yield Observation(seconds, {"agency": agency.name, "act": act})


def _age(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    if snapshot.summary.freshness is not None:
        yield Observation((snapshot.at - snapshot.summary.freshness).total_seconds())


METRICS: tuple[Metric, ...] = (
    Metric(
        "govbus.service.duration",
        "gauge",
        "s",
        "First event to last end event, quantiles of the newest completed transactions",
        ("service", "quantile"),
        _durations,
    ),
    Metric(
        "govbus.service.deadline",
        "gauge",
        "s",
        "Deadline of the service",
        ("service",),
        _of_service(lambda service: service.deadline_seconds),
    ),
    Metric(
        "govbus.service.started",
        "counter",
        "{transaction}",
        "Transactions started",
        ("service",),
        _of_service(lambda service: service.started),
    ),
    Metric(
        "govbus.service.completed",
        "counter",
        "{transaction}",
        "Transactions completed, in time or late",
        ("service", "on_time"),
        _completed,
    ),
    Metric(
        "govbus.service.open",
        "gauge",
        "{transaction}",
        "Transactions not completed",
        ("service",),
        _of_service(lambda service: service.open),
    ),
    Metric(
        "govbus.service.overdue",
        "gauge",
        "{transaction}",
        "Transactions not completed and past the deadline of the service",
        ("service",),
        _of_service(lambda service: service.late - service.completed_late),
    ),
    Metric(
        "govbus.service.stuck",
        "gauge",
        "{transaction}",
        "Transactions that wait for an event that is overdue, was refused, or follows a dead letter",
        ("service",),
        _of_service(lambda service: service.stuck),
    ),
    Metric(
        "govbus.service.agency_silent",
        "gauge",
        "{transaction}",
        "Transactions not stuck that wait for an agency which receives nothing",
        ("service",),
        _of_service(lambda service: service.agency_silent),
    ),
    Metric(
        "govbus.service.step.duration",
        "gauge",
        "s",
        "From the event before a milestone to the milestone, quantiles",
        ("service", "event", "agency", "quantile"),
        _steps,
    ),
    Metric(
        "govbus.path.queue.duration",
        "gauge",
        "s",
        "Published to first received by an agency, quantiles",
        ("service", "event", "agency", "quantile"),
        _paths(lambda path: path.queue),
    ),
    Metric(
        "govbus.path.handle.duration",
        "gauge",
        "s",
        "First received to handled by an agency, retries included, quantiles",
        ("service", "event", "agency", "quantile"),
        _paths(lambda path: path.handle),
    ),
    Metric(
        "govbus.agency.clock.skew",
        "gauge",
        "s",
        "Broker clock minus agency clock, median of the newest receipts",
        ("agency",),
        _of_agency(lambda agency: agency.skew_ms),
    ),
    Metric(
        "govbus.agency.handle.duration.p95",
        "gauge",
        "s",
        "First received to handled by an agency over all its subscriptions, 95th percentile",
        ("agency",),
        _of_agency(lambda agency: agency.handle_p95_ms),
    ),
    Metric(
        "govbus.agency.events",
        "counter",
        "{event}",
        "Events that an agency published or the bus refused, and source records that became no event",
        ("agency", "outcome"),
        _events,
    ),
    Metric(
        "govbus.agency.deliveries",
        "counter",
        "{delivery}",
        "Deliveries to an agency, acknowledged or dead-lettered",
        ("agency", "outcome"),
        _deliveries,
    ),
    Metric(
        "govbus.agency.silent",
        "gauge",
        "s",
        "Age of the oldest event that waits for an agency while it receives nothing, 0 if it is not silent",
        ("agency",),
        _silent,
    ),
    Metric(
        "govbus.agency.owed",
        "gauge",
        "{event}",
        "Events of an agency that transactions in flight wait for",
        ("agency",),
        _owed,
    ),
    Metric(
        "govbus.agency.idle",
        "gauge",
        "s",
        "Time since an agency last received, handled or published an event",
        ("agency", "act"),
        _since_last,
    ),
    Metric(
        "govbus.subscription.lag",
        "gauge",
        "s",
        "Age of the oldest event that a subscription has not received, by the times of records",
        ("agency", "event"),
        _lags,
    ),
    Metric(
        "govbus.subscription.halted",
        "gauge",
        "{partition}",
        "Partitions in which a subscription has halted until an operator says where it goes on",
        _PLACES,
        _gone(lambda found: found.halted),
    ),
    Metric(
        "govbus.subscription.places_gone",
        "counter",
        "{place}",
        "Places of subscriptions in partitions that were gone",
        _PLACES,
        _gone(lambda found: found.places),
    ),
    Metric(
        "govbus.subscription.missed",
        "counter",
        "{offset}",
        "Offsets that were gone before a subscription had read them",
        _PLACES,
        _gone(lambda found: found.lost),
    ),
    Metric(
        "govbus.dead_letters",
        "gauge",
        "{record}",
        "Dead letters not resolved, of deliveries and of source records that became no event",
        ("agency", "reason"),
        _dead_letters,
    ),
    Metric(
        "govbus.receipts",
        "counter",
        "{receipt}",
        "Receipts stored",
        (),
        lambda snapshot: [Observation(snapshot.summary.receipts)],
    ),
    Metric(
        "govbus.receipts.undecodable",
        "counter",
        "{record}",
        "Records of receipts topics without readable receipts",
        (),
        lambda snapshot: [Observation(snapshot.summary.undecodable)],
    ),
    Metric(
        "govbus.receipts.not_believed",
        "counter",
        "{receipt}",
        "Receipts that are not believed, by who wrote them and why",
        ("agency", "fault"),
        lambda snapshot: [
            Observation(number, {"agency": agency, "fault": fault})
            for agency, fault, number in snapshot.not_believed
        ],
    ),
    Metric(
        "govbus.receipts.unchecked",
        "gauge",
        "{receipt}",
        "Publishes whose topics could not be asked about them yet, by who wrote them",
        ("agency",),
        _not_checked("unchecked"),
    ),
    Metric(
        "govbus.receipts.undated",
        "gauge",
        "{receipt}",
        "Publishes to topics that keep the times of publishers, which say nothing, by who wrote them",
        ("agency",),
        _not_checked("undated"),
    ),
    Metric(
        "govbus.receipts.future",
        "counter",
        "{receipt}",
        "Receipts from after the monitor's own time, by more than a minute",
        (),
        lambda snapshot: [Observation(snapshot.summary.future)],
    ),
    Metric(
        "govbus.receipts.backwards",
        "counter",
        "{receipt}",
        "Receipts of events received before they were published, or handled before they were received",
        (),
        lambda snapshot: [Observation(snapshot.summary.backwards)],
    ),
    Metric(
        "govbus.receipts.age",
        "gauge",
        "s",
        "Age of the newest receipt; one from the future counts for nothing",
        (),
        _age,
    ),
)
"""All metrics, from the whole to the part as on a dashboard."""


def derive(
    meter: Meter,
    store: Store,
    agencies: Collection[str],
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Register all metrics on `meter`; each export reads them from `store`.

    Args:
        meter: of the OpenTelemetry API.
        store: read at most once every `FRESH_SECONDS`.
        agencies: those of the catalogue; all others are summed as `other`, without clock and duration.
        clock: the current time, for the age of the newest receipt.
    """
    snapshots = SnapshotCache(store, frozenset(agencies), clock)
    for metric in METRICS:
        create = (
            meter.create_observable_counter if metric.kind == "counter" else meter.create_observable_gauge
        )
        create(
            metric.name,
            [partial(_observe, snapshots, metric)],
            unit=metric.unit,
            description=metric.description,
        )


def _observe(snapshots: SnapshotCache, metric: Metric, _options: CallbackOptions) -> Iterable[Observation]:
    return metric.observe(snapshots.current())
