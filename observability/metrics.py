"""Every metric the monitor derives from the store, named once; dashboards and alerts use these names.

Law of this file: each instrument is observed, none is counted along: a restart or a replay of receipts moves
no curve. Label values are bounded by the catalogue and by the closed set of reasons; no transaction, event
or person is ever a label. The bus' own instruments are named in `bus.telemetry`.

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

from observability.database.store import Store
from observability.metrics_snapshot import MetricsSnapshot, SnapshotCache
from observability.views import AgencyView, PathView, Percentiles, ServiceView

METER = "govbus.observability"
"""The instrumentation scope of these metrics."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One instrument: `observe` gives its values and labels from a snapshot."""

    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    description: str
    labels: tuple[str, ...]
    observe: Callable[[MetricsSnapshot], Iterable[Observation]]


def _of_service(
    value: Callable[[ServiceView], float | None],
) -> Callable[[MetricsSnapshot], Iterator[Observation]]:
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


def _paths(part: Callable[[PathView], Percentiles]) -> Callable[[MetricsSnapshot], Iterator[Observation]]:
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


def _of_agency(
    value: Callable[[AgencyView], float | None],
) -> Callable[[MetricsSnapshot], Iterator[Observation]]:
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


def _age(snapshot: MetricsSnapshot) -> Iterator[Observation]:
    if snapshot.summary.freshness is not None:
        yield Observation((snapshot.at - snapshot.summary.freshness).total_seconds())


METRICS: tuple[Metric, ...] = (
    Metric(
        "govbus.service.duration",
        "gauge",
        "s",
        "First event to last end event, quantiles over the newest completed transactions",
        ("service", "quantile"),
        _durations,
    ),
    Metric(
        "govbus.service.deadline",
        "gauge",
        "s",
        "The deadline of the service",
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
        "Transactions completed, in time and not",
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
        "Transactions whose next event is overdue, was refused, or whose delivery was given up",
        ("service",),
        _of_service(lambda service: service.stuck),
    ),
    Metric(
        "govbus.service.step.duration",
        "gauge",
        "s",
        "From the event a milestone waits for to the milestone, quantiles",
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
        "Events an agency published, those the bus refused, and records that never became an event",
        ("agency", "outcome"),
        _events,
    ),
    Metric(
        "govbus.agency.deliveries",
        "counter",
        "{delivery}",
        "Deliveries an agency acknowledged, and those given up",
        ("agency", "outcome"),
        _deliveries,
    ),
    Metric(
        "govbus.dead_letters",
        "gauge",
        "{record}",
        "Deliveries given up and not acknowledged since, and records that never became an event",
        ("agency", "reason"),
        _dead_letters,
    ),
    Metric(
        "govbus.receipts",
        "counter",
        "{receipt}",
        "Receipts held",
        (),
        lambda snapshot: [Observation(snapshot.summary.receipts)],
    ),
    Metric(
        "govbus.receipts.undecodable",
        "counter",
        "{record}",
        "Records of the receipts topic that held no receipts",
        (),
        lambda snapshot: [Observation(snapshot.summary.undecodable)],
    ),
    Metric(
        "govbus.receipts.age",
        "gauge",
        "s",
        "Age of the newest receipt",
        (),
        _age,
    ),
)
"""All of them, in the order of a dashboard from the whole to the part."""


def derive(
    meter: Meter,
    store: Store,
    agencies: Collection[str],
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Register every metric of the table on `meter`, read from `store` when it is exported.

    Args:
        meter: of the OpenTelemetry API.
        store: read at most every `FRESH_SECONDS`.
        agencies: the catalogue's; what others do is shown under `other`, without clock and duration.
        clock: the time of day, for the age of the newest receipt.
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
