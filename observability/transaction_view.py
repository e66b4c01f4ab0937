"""One transaction for people: its state, what it waits for, and every hop in order of publication.

Law of this file: pure; a published event is shown once for each subscription that received it, else once.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from bus import DeliveryReceipt, PublishReceipt, agency_of
from contracts import Service
from observability.evidence.silence import NOBODY, Addressee, Silences
from observability.identity import settle_deliveries, settle_publishes
from observability.latency import Hop, hops, milliseconds
from observability.transactions import Assessment, Wait, assess, subject_of
from observability.views import HopView, LetterState, TransactionView, WaitView

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """Return microseconds since the epoch as an aware UTC datetime, at most the latest there is."""
    return _EPOCH + timedelta(microseconds=min(microseconds, _LAST))


def moment_or_none(microseconds: int | None) -> datetime | None:
    """Return microseconds since the epoch as an aware UTC datetime; None stays None."""
    return None if microseconds is None else moment(microseconds)


def microseconds(at: datetime) -> int:
    """Return an aware datetime as microseconds since the epoch."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def transaction_view(
    transaction_id: str,
    services: Mapping[str, Service],
    publishes: Collection[PublishReceipt],
    deliveries: Collection[DeliveryReceipt],
    now_us: int,
    *,
    silences: Silences = NOBODY,
    grants: Collection[Addressee] | None = None,
) -> TransactionView:
    """Return the view of one transaction at `now_us` (microseconds since the epoch)."""
    publishes = settle_publishes(publishes).values()
    deliveries = settle_deliveries(deliveries).values()
    assessed = assess(services, publishes, deliveries, grants)
    shown = _hops(publishes, deliveries)
    started = moment(assessed.started_us) if assessed.started_us is not None else shown[0].published
    return TransactionView(
        id=transaction_id,
        service=assessed.service,
        state=assessed.state(now_us, silences),
        late=assessed.is_late(now_us),
        started=started,
        ended=moment_or_none(assessed.completed_us),
        due=moment_or_none(assessed.late_at_us),
        duration_ms=_duration_us(assessed, now_us) / 1000,
        waits_for=tuple(_wait(wait, now_us, silences) for wait in assessed.waits),
        hops=shown,
    )


def _duration_us(assessed: Assessment, now_us: int) -> int:
    if assessed.started_us is None:
        return 0
    # The end of an untracked transaction is unknown: it lasts until its last receipt, not until now.
    running = now_us if assessed.tracked else assessed.last_us
    return (assessed.completed_us or running) - assessed.started_us


def _wait(wait: Wait, now_us: int, silences: Silences) -> WaitView:
    cause = wait.cause(now_us, silences)
    lost = wait.loss is not None and wait.loss.cause == cause
    return WaitView(
        event=wait.event,
        agency=wait.agency,
        since=moment(wait.since_us),
        due=moment_or_none(wait.due_us),
        cause=cause,
        reason=(wait.loss.reason or None) if wait.loss is not None and lost else None,
        origin=(wait.loss.origin or None) if wait.loss is not None and lost else None,
        silent_since=moment_or_none(wait.silent_since_us(silences)),
    )


def _hops(publishes: Iterable[PublishReceipt], deliveries: Iterable[DeliveryReceipt]) -> tuple[HopView, ...]:
    deliveries = list(deliveries)
    found, letters = hops(deliveries), _letters(deliveries)
    received = {(hop.last.source, hop.last.event_id) for hop in found}
    shown = [_received(hop, letters.get(_of_subscription(hop.last))) for hop in found]
    shown += [
        _not_received(receipt) for receipt in publishes if (receipt.source, receipt.event_id) not in received
    ]
    return tuple(sorted(shown, key=lambda hop: (hop.published, hop.received or hop.published, hop.event_id)))


def _letters(deliveries: Iterable[DeliveryReceipt]) -> dict[tuple[str, ...], LetterState]:
    """Return what became of the dead letters of each event and subscription."""
    outcomes: dict[tuple[str, ...], set[str]] = {}
    for receipt in deliveries:
        outcomes.setdefault(_of_subscription(receipt), set()).add(receipt.outcome)
    return {
        place: "redriven" if "ack" in found else "discarded" if "discarded" in found else "open"
        for place, found in outcomes.items()
        if "dead-letter" in found
    }


def _of_subscription(receipt: DeliveryReceipt) -> tuple[str, ...]:
    return receipt.source, receipt.event_id, receipt.agency, receipt.subscription


def _received(hop: Hop, letter: LetterState | None) -> HopView:
    last = hop.last
    return HopView(
        event_id=last.event_id,
        type=last.type,
        subject=subject_of(last.type),
        publisher=agency_of(last.source),
        subscriber=last.agency,
        subscription=last.subscription,
        purpose=last.purpose,
        published=moment(hop.published_us),
        received=moment(hop.received_us),
        handled=moment_or_none(hop.handled_us),
        queue_ms=milliseconds(hop.queue_us),
        handle_ms=milliseconds(hop.handle_us),
        outcome=last.outcome,
        reason=last.reason,
        attempts=hop.attempts,
        dead_letter=letter,
    )


def _not_received(receipt: PublishReceipt) -> HopView:
    return HopView(
        event_id=receipt.event_id,
        type=receipt.type,
        subject=subject_of(receipt.type),
        publisher=receipt.agency,
        subscriber=None,
        subscription=None,
        purpose=None,
        published=moment(receipt.broker_time_us),
        received=None,
        handled=None,
        queue_ms=None,
        handle_ms=None,
        outcome=receipt.outcome,
        reason=receipt.reason,
        attempts=0,
    )
