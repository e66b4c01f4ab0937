"""What the store holds at one moment, for all metrics of one export.

Law of this file: the store is read at most once every `FRESH_SECONDS`; labels come from the catalogue.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from time import monotonic

from bus import Reason
from observability.database.gone import GoneCount
from observability.database.store import Store
from observability.transactions import subject_of
from observability.views import AgencyView, BreakdownView, RefusalView, ServiceView, SummaryView

FRESH_SECONDS = 5.0
"""How long one snapshot serves all instruments."""

OTHER = "other"
"""The label of an agency outside the catalogue and of a reason outside the closed set."""


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """What the store held at one moment; all instruments of one export read the same."""

    at: datetime
    summary: SummaryView
    services: tuple[ServiceView, ...]
    agencies: tuple[AgencyView, ...]
    breakdowns: tuple[BreakdownView, ...]
    dead_letters: tuple[tuple[str, str, int], ...]
    """Agency, reason and number."""
    lags: tuple[tuple[str, str, float], ...]
    """Agency, subject of the event and lag in milliseconds."""
    gone: tuple[GoneCount, ...]
    """By agency, subject of the event in place of the topic, and reason."""
    not_believed: tuple[tuple[str, str, int], ...]
    """Agency, fault and number."""
    not_checked: Mapping[tuple[str, str], int]
    """By agency."""


class SnapshotCache:
    """The current snapshot of one store, shared by the instruments and their threads.

    Args:
        store: what is read.
        agencies: the names that may be labels.
        clock: the current time.
    """

    def __init__(self, store: Store, agencies: Collection[str], clock: Callable[[], datetime]) -> None:
        self._store, self._agencies, self._clock = store, agencies, clock
        self._lock = Lock()
        self._taken = 0.0
        self._snapshot: MetricsSnapshot | None = None

    def current(self) -> MetricsSnapshot:
        """Return a snapshot no older than `FRESH_SECONDS`."""
        with self._lock:
            if self._snapshot is None or monotonic() - self._taken > FRESH_SECONDS:
                self._snapshot, self._taken = self._read(), monotonic()
            return self._snapshot

    def _read(self) -> MetricsSnapshot:
        services = self._store.services()
        return MetricsSnapshot(
            at=self._clock(),
            summary=self._store.summary(),
            services=services,
            agencies=bounded(self._store.agencies(), self._agencies),
            breakdowns=tuple(self._breakdown(service) for service in services),
            dead_letters=self._dead_letters(),
            lags=self._lags(services),
            gone=self._gone(services),
            not_believed=tuple(
                (agency, fault, number)
                for (agency, fault), number in sorted(self._words(self._store.refusals()).items())
            ),
            not_checked=self._words(self._store.not_checked()),
        )

    def _breakdown(self, service: ServiceView) -> BreakdownView:
        whole = self._store.breakdown(service.name)
        events = {milestone.event for milestone in service.milestones}
        bounded_paths = [
            path
            for path in whole.paths
            if path.subscriber in self._agencies and subject_of(path.type) in events
        ]
        return replace(whole, paths=tuple(bounded_paths))

    def _gone(self, services: Iterable[ServiceView]) -> tuple[GoneCount, ...]:
        events, reasons = _events(services), frozenset(Reason)
        sums: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
        for found in self._store.gone_counts():
            agency, event, reason = found.agency, subject_of(found.topic), found.reason
            key = (
                agency if agency in self._agencies else OTHER,
                event if event in events else OTHER,
                reason if reason in reasons else OTHER,
            )
            sums[key].update(places=found.places, lost=found.lost, halted=found.halted)
        return tuple(
            GoneCount(*key, counts["places"], counts["lost"], counts["halted"])
            for key, counts in sorted(sums.items())
        )

    def _lags(self, services: Iterable[ServiceView]) -> tuple[tuple[str, str, float], ...]:
        events = _events(services)
        worst: dict[tuple[str, str], float] = {}
        for found in self._store.subscriptions():
            agency, subject = found.agency, subject_of(found.topic)
            key = (agency if agency in self._agencies else OTHER, subject if subject in events else OTHER)
            worst[key] = max(found.lag_ms, worst.get(key, 0.0))
        return tuple((agency, subject, lag_ms) for (agency, subject), lag_ms in sorted(worst.items()))

    def _dead_letters(self) -> tuple[tuple[str, str, int], ...]:
        reasons = frozenset(Reason)
        found: Counter[tuple[str, str]] = Counter()
        for (agency, reason), number in self._store.dead_letter_reasons().items():
            place = (agency if agency in self._agencies else OTHER, reason if reason in reasons else OTHER)
            found[place] += number
        return tuple((agency, reason, number) for (agency, reason), number in sorted(found.items()))

    def _words(self, views: Iterable[RefusalView]) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for view in views:
            found[view.agency if view.agency in self._agencies else OTHER, view.fault] += view.receipts
        return found


def _events(services: Iterable[ServiceView]) -> frozenset[str]:
    return frozenset(milestone.event for service in services for milestone in service.milestones)


def bounded(agencies: Iterable[AgencyView], known: Collection[str]) -> tuple[AgencyView, ...]:
    """Return the known agencies, and one named `other` with the traffic of all others."""
    kept = list(agencies)
    rest = [agency for agency in kept if agency.name not in known]
    shown = [agency for agency in kept if agency.name in known]
    if rest:
        shown.append(
            AgencyView(
                name=OTHER,
                skew_ms=None,
                latest_skew_ms=None,
                published=sum(agency.published for agency in rest),
                delivered=sum(agency.delivered for agency in rest),
                refused=sum(agency.refused for agency in rest),
                set_aside=sum(agency.set_aside for agency in rest),
                dead_lettered=sum(agency.dead_lettered for agency in rest),
                handle_p95_ms=None,
                activity=None,
            )
        )
    return tuple(shown)
