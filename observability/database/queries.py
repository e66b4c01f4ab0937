"""The queries behind the views of the store.

Law of this file: no query reads the whole history. Counts come from `totals` and from the transactions in
flight; samples come from the newest rows, as many as the constants below say.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from itertools import starmap
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Table, case, exists, func, or_, select

from bus import DeliveryReceipt, PublishReceipt, agency_of
from contracts import Service
from observability.database.beliefs import count_unchecked
from observability.database.gone import count_gone_places
from observability.database.intake import chunks, delivery_columns, load, publish_columns
from observability.database.progress import (
    find_lags,
    find_silences,
    last_received_and_handled_us,
    owed_since,
    waits_for_silent,
)
from observability.database.schema import (
    completed_late,
    deliveries,
    disbelieved,
    given_up,
    in_flight,
    publishes,
    set_aside,
    totals,
    transactions,
    undecodable,
)
from observability.evidence.silence import Addressee, Silences
from observability.identity import ATTEMPTS, RESOLVING, is_eventless
from observability.latency import Hop, hops, milliseconds, percentile, percentiles, skew
from observability.transaction_view import moment, moment_or_none, transaction_view
from observability.transactions import ServiceStep, newest_us, steps, subject_of
from observability.views import (
    AgencyActivity,
    AgencyView,
    BreakdownView,
    DeadLetterView,
    MilestoneView,
    PathView,
    RefusalView,
    ServiceView,
    State,
    StepView,
    SubscriptionView,
    SummaryView,
    TransactionView,
)

COMPLETED_WINDOW = 10_000
"""Newest completed transactions of a service, for its percentiles."""

STEPS_WINDOW = 1_000
"""Newest completed transactions of a service, for its steps."""

PATHS_WINDOW = 5_000
"""Newest deliveries of a service, for its paths."""

AGENCY_WINDOW = 1_000
"""Newest receipts of an agency, for its clock and its handling time."""

DIGITAL_CHANNELS = frozenset({"mobile", "web"})
"""Channels that need a device of one's own: a service that has no other excludes people."""

Totals = Counter[tuple[str, str, str]]
"""Value by scope, name and measure."""


def _resolved() -> ColumnElement[bool]:
    """Whether a dead letter was acknowledged later, or discarded by an operator."""
    later = deliveries.alias("later")
    same = ("transaction", "source", "event_id", "agency", "subscription")
    same_letter = (later.c[name] == deliveries.c[name] for name in same)
    return exists().where(*same_letter, later.c.outcome.in_(RESOLVING))


def _discarded() -> ColumnElement[bool]:
    """Whether an operator discarded a source record that became no event."""
    act = deliveries.alias("act")
    same = ("transaction", "event_id", "agency")
    return exists().where(*(act.c[name] == publishes.c[name] for name in same), act.c.outcome == "discarded")


def _open_letters(table: Table, condition: ColumnElement[bool]) -> Select[Any]:
    by = (table.c.agency, table.c.reason)
    return select(*by, func.count()).where(condition).group_by(*by)


# Made once: SQLAlchemy takes longer to make such a statement than SQLite to run it.
_RESOLVED, _DISCARDED = _resolved(), _discarded()
_OPEN_LETTERS = (
    _open_letters(deliveries, given_up & ~_RESOLVED),
    _open_letters(publishes, set_aside & ~_DISCARDED),
)


class Moment(NamedTuple):
    """When a view is read, in microseconds since the epoch, and what may be received.

    `read_us` is up to when the monitor has read everything, at most now; silence is judged by it. Who has
    received nothing since before `cutoff_us`, although something waits, is silent.
    """

    now_us: int
    read_us: int
    cutoff_us: int
    grants: Collection[Addressee] | None


def _silences(connection: Connection, moment: Moment) -> Silences:
    return find_silences(connection, find_lags(connection, moment.read_us), moment.cutoff_us)


def _totals(connection: Connection) -> Totals:
    """Return all totals."""
    rows = connection.execute(select(totals.c.scope, totals.c.name, totals.c.measure, totals.c.value))
    return Counter({(scope, name, measure): value for scope, name, measure, value in rows})


class InFlight(NamedTuple):
    """Transactions of a service not completed: all past the deadline, and each by what is worst of it."""

    overdue: int = 0
    stuck: int = 0
    agency_silent: int = 0
    late: int = 0


def _agency_silent(at: Moment, silences: Silences) -> ColumnElement[bool]:
    stuck = transactions.c.stuck_at_us.is_not(None) & (transactions.c.stuck_at_us < at.now_us)
    return in_flight & ~stuck & waits_for_silent(silences)


def _in_flight(connection: Connection, at: Moment) -> Mapping[str, InFlight]:
    """Return the transactions in flight by service, each counted once as stuck, agency-silent or late."""
    silences = _silences(connection, at)
    overdue = transactions.c.late_at_us < at.now_us
    worst = [(transactions.c.stuck_at_us < at.now_us, "stuck")]
    if silences.since_us:
        worst.append((waits_for_silent(silences), "agency-silent"))
    state = case(*worst, (overdue, "late"), else_="open").label("state")
    past = func.sum(case((overdue, 1), else_=0))
    query = select(transactions.c.service, state, func.count(), past).where(in_flight)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for service, name, number, late in connection.execute(query.group_by(transactions.c.service, state)):
        found[service].update({name: number, "overdue": int(late)})
    return {
        service: InFlight(counts["overdue"], counts["stuck"], counts["agency-silent"], counts["late"])
        for service, counts in found.items()
    }


def summarize(connection: Connection, at: Moment) -> SummaryView:
    """Return totals over all receipts."""
    stored = _totals(connection)
    by_service = _in_flight(connection, at).values()
    started, completed, late = (
        _sum(stored, "service", measure) for measure in ("started", "completed", "late")
    )
    untracked = stored["store", "", "untracked"]
    return SummaryView(
        transactions=started + untracked,
        open=started - completed,
        completed=completed,
        late=late + sum(found.overdue for found in by_service),
        stuck=sum(found.stuck for found in by_service),
        agency_silent=sum(found.agency_silent for found in by_service),
        late_in_flight=sum(found.late for found in by_service),
        completed_late=late,
        untracked=untracked,
        refused=_sum(stored, "agency", "refused"),
        refused_unkept=_sum(stored, "agency", "refused") - stored["store", "", "kept-refusals"],
        dead_letters=sum(dead_letters_by_reason(connection).values()),
        published=_sum(stored, "agency", "published"),
        delivered=_sum(stored, "agency", "ack"),
        receipts=stored["store", "", "receipts"],
        undecodable=connection.scalar(select(func.count()).select_from(undecodable)) or 0,
        unchecked=sum(one.receipts for one in count_unchecked(connection) if one.fault == "unchecked"),
        halted=sum(count.halted for count in count_gone_places(connection)),
        future=stored["store", "", "future"],
        backwards=stored["store", "", "backwards"],
        freshness=_latest_moment(stored.get(("store", "", "newest_us")), at),
    )


def find_transactions(
    connection: Connection,
    services: Mapping[str, Service],
    at: Moment,
    *,
    state: State | None,
    service: str | None,
    limit: int,
) -> tuple[TransactionView, ...]:
    """Return transactions, by state and service if given."""
    query = select(transactions.c.id)
    if service is not None:
        query = query.where(transactions.c.service == service)
    silences = _silences(connection, at)
    if state == "agency-silent" and not silences.since_us:
        return ()
    if state is not None:
        query = query.where(_in_state(state, at, silences))
    started, id_ = transactions.c.started_us, transactions.c.id
    troubled = state in ("late", "stuck", "agency-silent")
    order = (started, id_) if troubled else (started.desc(), id_.desc())
    if state is None:
        query = query.where(started.is_not(None))
    ids = list(connection.scalars(query.order_by(*order).limit(limit)))
    found = load(connection, ids).by_transaction()
    return tuple(
        transaction_view(id_, services, *found[id_], at.now_us, silences=silences, grants=at.grants)
        for id_ in ids
    )


def find_transaction(
    connection: Connection, services: Mapping[str, Service], transaction_id: str, at: Moment
) -> TransactionView | None:
    """Return one transaction, None if no receipt names it."""
    found = load(connection, [transaction_id]).by_transaction()
    if transaction_id not in found:
        return None
    silences = _silences(connection, at)
    receipts = found[transaction_id]
    return transaction_view(
        transaction_id, services, *receipts, at.now_us, silences=silences, grants=at.grants
    )


def find_ids(connection: Connection, start: str, limit: int) -> tuple[str, ...]:
    """Return ids of transactions that begin so, the newest first."""
    id_, last = transactions.c.id, transactions.c.last_us
    query = select(id_).where(func.substr(id_, 1, len(start)) == start).order_by(last.desc(), id_)
    return tuple(connection.scalars(query.limit(limit)))


def find_services(
    connection: Connection, services: Mapping[str, Service], at: Moment
) -> tuple[ServiceView, ...]:
    """Return every service of the catalogue with its measurements, sorted by name."""
    stored = _totals(connection)
    by_service = _in_flight(connection, at)
    return tuple(
        _service(
            service,
            stored,
            by_service.get(name, InFlight()),
            _durations_us(connection, name),
        )
        for name, service in sorted(services.items())
    )


def _durations_us(connection: Connection, service: str) -> list[int]:
    """Return how long the newest completed transactions of a service took, in microseconds."""
    completed = transactions.c.completed_us
    query = (
        select(completed - transactions.c.started_us)
        .where(transactions.c.service == service, completed.is_not(None))
        .order_by(completed.desc())
        .limit(COMPLETED_WINDOW)
    )
    return list(connection.scalars(query))


def break_down(connection: Connection, service: Service) -> BreakdownView:
    """Return how long each milestone and each delivery path of a service takes."""
    return BreakdownView(
        service=service.name, steps=_steps(connection, service), paths=_paths(connection, service.name)
    )


def find_agencies(connection: Connection, at: Moment) -> tuple[AgencyView, ...]:
    """Return every agency with receipts, and every one that a case waits for, sorted by name."""
    stored = _totals(connection)
    lags = find_lags(connection, at.read_us)
    silences = find_silences(connection, lags, at.cutoff_us)
    owed = {name: moment(since_us) for name, _, since_us in owed_since(connection)}
    last = last_received_and_handled_us(connection)
    gone = count_gone_places(connection)
    names = sorted({name for (scope, name, _), value in stored.items() if scope == "agency" and value})
    found = []
    for name in names:
        received_us, handled_us = last.get(name, (0, 0))
        behind = [lag.since_us for lag in lags if lag.agency == name and lag.since_us is not None]
        silent = [since_us for addressee, since_us in silences.since_us.items() if addressee.agency == name]
        activity = AgencyActivity(
            received=_latest_moment(received_us, at),
            handled=_latest_moment(handled_us, at),
            published=_latest_moment(_last_published_us(connection, name, at), at),
            lag_ms=(at.read_us - min(behind, default=at.read_us)) / 1000,
            silent_since=moment_or_none(min(silent, default=None)),
            halted=sum(count.halted for count in gone if count.agency == name),
            owes=stored["agency", name, "owed"],
            owes_since=owed.get(name),
        )
        found.append(_agency(connection, name, stored, activity))
    return tuple(found)


def _latest_moment(latest_us: int | None, at: Moment) -> datetime | None:
    """Return the newest time of something, never after now; None if there is none."""
    return moment(min(latest_us, at.now_us)) if latest_us else None


def _last_published_us(connection: Connection, agency: str, at: Moment) -> int | None:
    query = select(publishes.c.broker_time_us).where(
        publishes.c.agency == agency,
        publishes.c.outcome == "published",
        publishes.c.broker_time_us <= at.now_us,
    )
    return connection.scalar(query.order_by(publishes.c.broker_time_us.desc()).limit(1))


def find_subscriptions(connection: Connection, at: Moment) -> tuple[SubscriptionView, ...]:
    """Return how far every subscription is behind."""
    return tuple(
        SubscriptionView(
            agency=lag.agency,
            subscription=lag.subscription,
            topic=lag.topic,
            lag_ms=0.0 if lag.since_us is None else max(0, at.read_us - lag.since_us) / 1000,
        )
        for lag in find_lags(connection, at.read_us)
    )


def find_dead_letters(connection: Connection, limit: int) -> tuple[DeadLetterView, ...]:
    """Return dead letters, of deliveries and of source records that became no event, newest first."""
    found = []
    for receipt, columns, at, condition, resolved in (
        (DeliveryReceipt, delivery_columns, deliveries.c.finished_us, given_up, _RESOLVED),
        (PublishReceipt, publish_columns, publishes.c.broker_time_us, set_aside, _DISCARDED),
    ):
        query = select(resolved, *columns).where(condition).order_by(at.desc(), at.table.c.event_id)
        found += [
            _dead_letter(receipt(*values), resolved=bool(is_resolved))
            for is_resolved, *values in connection.execute(query.limit(limit))
        ]
    return tuple(sorted(found, key=lambda letter: letter.time, reverse=True)[:limit])


def dead_letters_by_reason(connection: Connection) -> Mapping[tuple[str, str], int]:
    """Return the number of unresolved dead letters by agency and reason."""
    found: Counter[tuple[str, str]] = Counter()
    for query in _OPEN_LETTERS:
        for name, why, number in connection.execute(query):
            found[name, why or "unknown"] += number
    return found


def find_refusals(connection: Connection) -> tuple[RefusalView, ...]:
    """Return the receipts that are not believed, by agency and fault."""
    rows = connection.execute(select(disbelieved).order_by(disbelieved.c.speaker, disbelieved.c.fault))
    return tuple(
        RefusalView(row.speaker, row.fault, row.receipts, row.about, moment(row.noted_us)) for row in rows
    )


def _in_state(state: State, at: Moment, silences: Silences) -> ColumnElement[bool]:
    if state == "agency-silent":
        return _agency_silent(at, silences)
    conditions: Mapping[State, ColumnElement[bool]] = {
        "open": in_flight,
        "completed": transactions.c.completed_us.is_not(None),
        "late": or_(completed_late, in_flight & (transactions.c.late_at_us < at.now_us)),
        "stuck": in_flight & (transactions.c.stuck_at_us < at.now_us),
        "refused": transactions.c.started_us.is_(None),
        "untracked": ~transactions.c.tracked & transactions.c.started_us.is_not(None),
    }
    return conditions[state]


def _service(service: Service, stored: Totals, found: InFlight, took_us: list[int]) -> ServiceView:
    started, completed, late = (
        stored["service", service.name, measure] for measure in ("started", "completed", "late")
    )
    took = percentiles(took_us)
    milestones = _milestones(service, stored)
    judged = completed + found.overdue
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
        late=late + found.overdue,
        stuck=found.stuck,
        agency_silent=found.agency_silent,
        p50_ms=took.p50_ms,
        p95_ms=took.p95_ms,
        p99_ms=took.p99_ms,
        window=took.count,
        on_time_share=(completed - late) / judged if judged else None,
        milestones=milestones,
        coverage=sum(milestone.seen > 0 for milestone in milestones) / len(milestones),
    )


def _milestones(service: Service, stored: Totals) -> tuple[MilestoneView, ...]:
    def seen(event: str) -> int:
        return stored["event", service.name, event]

    start = service.start
    first = MilestoneView(start, start.partition(".")[0], None, None, start in service.ends, seen(start))
    return (first, *(MilestoneView(*step, seen=seen(step.event)) for step in steps(service)))


def _sum(stored: Totals, scope: str, measure: str) -> int:
    return sum(value for (found, _, name), value in stored.items() if (found, name) == (scope, measure))


def _steps(connection: Connection, service: Service) -> tuple[StepView, ...]:
    query = (
        select(transactions.c.id)
        .where(transactions.c.service == service.name, transactions.c.completed_us.is_not(None))
        .order_by(transactions.c.completed_us.desc())
        .limit(STEPS_WINDOW)
    )
    times = _published(connection, list(connection.scalars(query)))
    return tuple(_step(step, times) for step in steps(service))


def _published(connection: Connection, ids: Iterable[str]) -> list[Mapping[str, int]]:
    times: dict[str, dict[str, int]] = defaultdict(dict)
    for chunk in chunks(ids):
        query = select(publishes.c.transaction, publishes.c.type, publishes.c.broker_time_us).where(
            publishes.c.transaction.in_(chunk), publishes.c.outcome == "published"
        )
        for id_, type_, at in connection.execute(query):
            found, subject = times[id_], subject_of(type_)
            found[subject] = min(found.get(subject, at), at)
    return list(times.values())


def _step(step: ServiceStep, times: Iterable[Mapping[str, int]]) -> StepView:
    took = [at[step.event] - at[step.after] for at in times if step.event in at and step.after in at]
    return StepView(
        after=step.after,
        event=step.event,
        agency=step.agency,
        deadline_seconds=step.deadline_seconds,
        took=percentiles(took),
    )


def _latest(connection: Connection, condition: ColumnElement[bool], limit: int) -> list[DeliveryReceipt]:
    query = select(*delivery_columns).where(condition).order_by(deliveries.c.finished_us.desc()).limit(limit)
    return list(starmap(DeliveryReceipt, connection.execute(query).all()))


def _paths(connection: Connection, service: str) -> tuple[PathView, ...]:
    paths: dict[tuple[str, str, str, str], list[Hop]] = defaultdict(list)
    for hop in hops(_latest(connection, deliveries.c.service == service, PATHS_WINDOW)):
        last = hop.last
        paths[last.type, agency_of(last.source), last.agency, last.subscription].append(hop)
    return tuple(
        PathView(
            type=type_,
            publisher=publisher,
            subscriber=subscriber,
            subscription=subscription,
            queue=percentiles([hop.queue_us for hop in found]),
            handle=percentiles([took for hop in found if (took := hop.handle_us) is not None]),
            retried=sum(hop.attempts > 1 for hop in found),
            dead_lettered=sum(hop.last.outcome == "dead-letter" for hop in found),
        )
        for (type_, publisher, subscriber, subscription), found in sorted(paths.items())
    )


def _agency(connection: Connection, name: str, stored: Totals, activity: AgencyActivity) -> AgencyView:
    attempts = (deliveries.c.agency == name) & deliveries.c.outcome.in_(ATTEMPTS)
    received = _latest(connection, attempts, AGENCY_WINDOW)
    query = (
        select(publishes.c.broker_time_us, publishes.c.skew_us)
        .where(publishes.c.agency == name)
        .order_by(publishes.c.broker_time_us.desc())
        .limit(AGENCY_WINDOW)
    )
    offsets = [(at, skew_us) for at, skew_us in connection.execute(query)]
    offsets += [(receipt.finished_us, receipt.skew_us) for receipt in received]
    median_ms, latest_ms = skew([skew_us for _, skew_us in sorted(offsets, reverse=True)[:AGENCY_WINDOW]])
    handled = [took for hop in hops(received) if (took := hop.handle_us) is not None]
    return AgencyView(
        name=name,
        skew_ms=median_ms,
        latest_skew_ms=latest_ms,
        published=stored["agency", name, "published"],
        delivered=stored["agency", name, "ack"],
        refused=stored["agency", name, "refused"],
        set_aside=stored["agency", name, "set-aside"],
        dead_lettered=stored["agency", name, "dead-letter"],
        handle_p95_ms=milliseconds(percentile(handled, 95)),
        activity=activity,
    )


def _dead_letter(receipt: PublishReceipt | DeliveryReceipt, *, resolved: bool) -> DeadLetterView:
    delivery = receipt if isinstance(receipt, DeliveryReceipt) else None
    return DeadLetterView(
        event_id=receipt.event_id,
        type=receipt.type,
        publisher=agency_of(receipt.source),
        agency=receipt.agency,
        subscription=None if delivery is None else delivery.subscription,
        reason=receipt.reason,
        attempts=0 if delivery is None else delivery.attempt,
        time=moment(newest_us(receipt)),
        transaction=None if is_eventless(receipt) else receipt.transaction,
        service=receipt.service,
        topic=receipt.topic,
        partition=receipt.partition,
        offset=receipt.offset,
        origin=None if isinstance(receipt, DeliveryReceipt) else receipt.origin,
        resolved=resolved,
    )
