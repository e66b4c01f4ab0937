"""Services measured against their definition: counts, percentiles, milestones seen."""

from collections.abc import Mapping

from sqlalchemy import Connection

from contracts import Service
from observability.database.queries import Totals, durations_us, in_flight_counts, read_totals
from observability.latency import percentiles
from observability.transactions import steps
from observability.views import MilestoneView, ServiceView

DIGITAL_CHANNELS = frozenset({"mobile", "web"})
"""Channels that need a device of one's own; a service with these only leaves people out."""


def measure(connection: Connection, services: Mapping[str, Service], now_us: int) -> tuple[ServiceView, ...]:
    """Return every service of the catalogue, in the order of the names."""
    held = read_totals(connection)
    flying = in_flight_counts(connection, now_us)
    return tuple(
        _view(service, held, flying.get(name, (0, 0)), durations_us(connection, name))
        for name, service in sorted(services.items())
    )


def _view(service: Service, held: Totals, flying: tuple[int, int], took_us: list[int]) -> ServiceView:
    started, completed, late = (
        held.get(("service", service.name, measure), 0) for measure in ("started", "completed", "late")
    )
    stuck, overdue = flying
    took = percentiles(took_us)
    milestones = _milestones(service, held)
    judged = completed + overdue
    return ServiceView(
        name=service.name,
        title=service.title,
        category=service.category,
        channels=service.channels,
        inclusive=not DIGITAL_CHANNELS.issuperset(service.channels),
        deadline_seconds=service.deadline_seconds,
        started=started,
        open=started - completed,
        completed=completed,
        completed_late=late,
        late=late + overdue,
        stuck=stuck,
        p50_ms=took.p50_ms,
        p95_ms=took.p95_ms,
        p99_ms=took.p99_ms,
        window=took.count,
        on_time_share=(completed - late) / judged if judged else None,
        milestones=milestones,
        coverage=sum(milestone.seen > 0 for milestone in milestones) / len(milestones),
    )


def _milestones(service: Service, held: Totals) -> tuple[MilestoneView, ...]:
    def seen(event: str) -> int:
        return held.get(("event", service.name, event), 0)

    start = MilestoneView(
        event=service.start,
        agency=service.start.partition(".")[0],
        after=None,
        deadline_seconds=None,
        end=service.start in service.ends,
        seen=seen(service.start),
    )
    later = (
        MilestoneView(
            event=step.event,
            agency=step.agency,
            after=step.after,
            deadline_seconds=step.deadline_seconds,
            end=step.end,
            seen=seen(step.event),
        )
        for step in steps(service)
    )
    return (start, *later)
