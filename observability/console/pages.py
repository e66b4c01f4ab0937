"""What each page shows, read from the store.

Law of this file: a page is a frozen value of one moment; templates only lay it out. Every list is bounded,
and the page says of how many it shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from observability.console.waterfall import Waterfall, waterfall
from observability.database.store import Store
from observability.views import (
    AgencyView,
    BreakdownView,
    DeadLetterView,
    GonePlaceView,
    RefusalView,
    ServiceView,
    SummaryView,
    TransactionView,
)

LISTED = 25
"""Most transactions in one list."""

GONE_PLACES_LISTED = 50
"""Most places in the list of those that were gone."""

DEAD_LETTERS_LISTED = 50
"""Most dead letters in the list."""

STALE = timedelta(seconds=60)
"""After this long without a receipt, the pages show a warning."""

SKEW_ALARM_MS = 1_000.0
"""An agency's clock that is further off is marked."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page has: the time it was read, the totals, the titles of services by name."""

    now: datetime
    summary: SummaryView
    titles: Mapping[str, str]
    read_until: datetime | None = None

    @property
    def behind(self) -> bool:
        """Whether a monitor has read everything once, but not for longer than `STALE`."""
        return self.read_until is not None and self.now - self.read_until > STALE

    @property
    def stale(self) -> bool:
        """Whether the newest receipt is older than `STALE`, and no monitor says that it has read all."""
        silent_ms = self.silent_ms
        return (
            self.read_until is None
            and silent_ms is not None
            and silent_ms > STALE / timedelta(milliseconds=1)
        )

    @property
    def silent_ms(self) -> float | None:
        """Milliseconds since the newest receipt, None when there is none."""
        if self.summary.freshness is None:
            return None
        return max((self.now - self.summary.freshness) / timedelta(milliseconds=1), 0.0)


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview."""

    frame: Frame
    services: tuple[ServiceView, ...]
    stuck: tuple[TransactionView, ...]
    silent: tuple[TransactionView, ...]
    in_flight: tuple[TransactionView, ...]
    completed: tuple[TransactionView, ...]
    dead_letters: tuple[DeadLetterView, ...]
    dead_letter_counts: tuple[tuple[str, str, int], ...]
    """Agency, reason and number of those not resolved."""
    gone_places: tuple[GonePlaceView, ...]
    agencies: tuple[AgencyView, ...]
    refusals: tuple[RefusalView, ...]


@dataclass(frozen=True, slots=True)
class ServicePage:
    """One service: how long its parts take, and what is in flight."""

    frame: Frame
    service: ServiceView
    breakdown: BreakdownView
    in_flight: tuple[TransactionView, ...]


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """One transaction with its waterfall."""

    frame: Frame
    transaction: TransactionView
    drawing: Waterfall


def mark(store: Store, now: datetime) -> str:
    """Return a text that differs where the pages show something else than before, ages aside.

    Whatever is written is counted in the totals, and so is a state that comes with time alone.
    """
    frame = Frame(now, store.summary(), {}, store.read_until())
    shown = (frame.summary, frame.behind, frame.stale, store.refusals())
    return sha256(repr(shown).encode()).hexdigest()[:16]


def overview(store: Store, now: datetime) -> Overview:
    """Return the overview at `now`."""
    services = store.services()
    # "open" includes those in trouble, which have lists of their own.
    listed_apart = ("stuck", "agency-silent")
    found = store.transactions(state="open", limit=4 * LISTED)
    in_flight = [each for each in found if each.state not in listed_apart]
    return Overview(
        frame=Frame(now, store.summary(), _titles(services), store.read_until()),
        services=tuple(sorted(services, key=lambda each: not each.started)),  # those in use first
        stuck=store.transactions(state="stuck", limit=LISTED),
        silent=store.transactions(state="agency-silent", limit=LISTED),
        in_flight=tuple(in_flight[:LISTED]),
        completed=store.transactions(state="completed", limit=10),
        dead_letters=store.dead_letters(limit=DEAD_LETTERS_LISTED),
        dead_letter_counts=tuple(
            (agency, reason, number)
            for (agency, reason), number in sorted(store.dead_letter_reasons().items())
        ),
        gone_places=store.gone_places(limit=GONE_PLACES_LISTED),
        agencies=store.agencies(),
        refusals=(*store.refusals(), *store.not_checked()),
    )


def service_page(store: Store, name: str, now: datetime) -> ServicePage | None:
    """Return the page of the service `name`, None if the catalogue has no such service."""
    services = store.services()
    service = next((each for each in services if each.name == name), None)
    if service is None:
        return None
    return ServicePage(
        frame=Frame(now, store.summary(), _titles(services), store.read_until()),
        service=service,
        breakdown=store.breakdown(name),
        in_flight=store.transactions(state="open", service=name, limit=LISTED),
    )


def transaction_page(store: Store, transaction_id: str, now: datetime) -> TransactionPage | None:
    """Return the page of one transaction, None if no receipt names it."""
    transaction = store.transaction(transaction_id)
    if transaction is None:
        return None
    frame = Frame(now, store.summary(), _titles(store.services()), store.read_until())
    return TransactionPage(frame, transaction, waterfall(transaction, now))


def _titles(services: tuple[ServiceView, ...]) -> dict[str, str]:
    return {service.name: service.title for service in services}
