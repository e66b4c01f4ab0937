"""How far each subscription has come, by the times of records, and what agencies owe.

Law of this file: nothing here is read from the whole history. `heads` is the newest record of a partition,
`reports` how far each subscription has come in it; only where they differ one receipt is looked up. `waits`
are the events that transactions in flight wait for. A replay is no progress. A subscription that has reported
nothing for `FORGOTTEN_DAYS` is gone, as for Kafka; the cases that wait for its agency still tell.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from bus import DeliveryReceipt, PublishReceipt, is_replay
from observability.database.rows import insert_rows
from observability.database.schema import heads, not_received, publishes, reports, totals, transactions, waits
from observability.evidence.silence import Addressee, NotReceived, Silences, silences
from observability.identity import AnyReceipt, is_attempt
from observability.transactions import Wait, subject_of

FORGOTTEN_DAYS = 7
_DAY_US = 86_400_000_000

Key = tuple[Any, ...]
Values = dict[str, Any]

_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_WAITS = select(waits.c.agency, func.count()).where(waits.c.transaction.in_(_IDS)).group_by(waits.c.agency)
_NO_WAITS = delete(waits).where(waits.c.transaction.in_(_IDS))

_head_key = attrgetter(*(column.name for column in heads.primary_key.columns))
_report_key = attrgetter(*(column.name for column in reports.primary_key.columns))
_record = attrgetter("broker_time_us", "offset")


class Lag(NamedTuple):
    """How far a subscription is behind: broker time of the oldest event it has not received; None if none."""

    agency: str
    subscription: str
    topic: str
    since_us: int | None


def advance(connection: Connection, changed: Iterable[AnyReceipt], now_us: int) -> None:
    """Take note of how far topics and subscriptions have come; nothing from after `now_us` counts."""
    published: dict[Key, list[PublishReceipt]] = defaultdict(list)
    delivered: dict[Key, list[DeliveryReceipt]] = defaultdict(list)
    for receipt in changed:
        if isinstance(receipt, PublishReceipt):
            if receipt.outcome == "published" and receipt.broker_time_us <= now_us:
                published[_head_key(receipt)].append(receipt)
        elif _is_progress(receipt, now_us):
            delivered[_report_key(receipt)].append(receipt)
    _write(connection, heads, {key: _reached(heads, key, found) for key, found in published.items()})
    _write(connection, reports, {key: _report(key, found) for key, found in delivered.items()})


def _reached(table: Table, key: Key, receipts: Iterable[AnyReceipt]) -> Values:
    newest = max(receipts, key=_record)
    names = [column.name for column in table.primary_key.columns]
    return {
        **dict(zip(names, key, strict=True)),
        "broker_time_us": newest.broker_time_us,
        "offset": newest.offset,
    }


def _report(key: Key, receipts: Sequence[DeliveryReceipt]) -> Values:
    received = [receipt.received_us for receipt in receipts]
    handled = [receipt.finished_us for receipt in receipts if receipt.outcome == "ack"]
    return {
        **_reached(reports, key, receipts),
        "first_us": min(received),
        "received_us": max(received),
        "handled_us": max(handled, default=0),
        "finished_us": max(receipt.finished_us for receipt in receipts),
    }


def _is_progress(receipt: DeliveryReceipt, now_us: int) -> bool:
    in_time = max(receipt.finished_us, receipt.broker_time_us) <= now_us
    return in_time and is_attempt(receipt.outcome) and not is_replay(receipt.subscription)


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Values:
    merged = dict(max(one, other, key=lambda row: (row["broker_time_us"], row["offset"])))
    if "first_us" in merged:
        merged["first_us"] = min(one["first_us"], other["first_us"])
        merged |= {name: max(one[name], other[name]) for name in ("received_us", "handled_us", "finished_us")}
    return merged


def _write(connection: Connection, table: Table, rows: Mapping[Key, Values]) -> None:
    keys = [column.name for column in table.primary_key.columns]
    topics = sorted({row["topic"] for row in rows.values()})
    stored = {}
    for start in range(0, len(topics), 500):
        query = select(table).where(table.c.topic.in_(topics[start : start + 500]))
        for row in connection.execute(query).mappings():
            stored[tuple(row[name] for name in keys)] = dict(row)
    fresh = [row for key, row in rows.items() if key not in stored]
    moved = [
        merged
        for key, row in rows.items()
        if key in stored and (merged := _merged(stored[key], row)) != stored[key]
    ]
    if fresh:
        connection.execute(insert(table), fresh)
    if moved:
        same = [table.c[name] == bindparam(f"key_{name}") for name in keys]
        values: Values = {name: bindparam(f"new_{name}") for name in moved[0] if name not in keys}
        change = update(table).where(*same).values(values)
        connection.execute(change, [_bound(row, keys) for row in moved])


def _bound(row: Values, keys: Collection[str]) -> Values:
    return {f"{'key' if name in keys else 'new'}_{name}": value for name, value in row.items()}


def owe(connection: Connection, ids: Sequence[str], owed: Mapping[str, Iterable[Wait]]) -> dict[str, int]:
    """Write what some transactions wait for, and return by how much the waits for each agency change.

    Args:
        connection: of the write.
        ids: the transactions; what was stored of them is replaced.
        owed: their waits.
    """
    changes: dict[str, int] = defaultdict(int)
    for agency, number in connection.execute(_WAITS, {"ids": ids}):
        changes[agency] -= number
    connection.execute(_NO_WAITS, {"ids": ids})
    rows = []
    for id_, found in owed.items():
        for wait in found:
            changes[wait.agency] += 1
            rows.append((id_, wait.event, wait.agency, wait.after, wait.since_us, wait.received))
    columns = ("transaction", "event", "agency", "subject", "since_us", "received")
    insert_rows(connection, waits, columns, rows)
    return changes


def find_lags(connection: Connection, now_us: int) -> list[Lag]:
    """Return how far each subscription is behind in each topic that it reads."""
    newest: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for head in connection.execute(select(heads)):
        newest[head.topic][head.partition] = (head.broker_time_us, head.offset)
    found: dict[tuple[str, str, str], dict[int, Row[Any]]] = defaultdict(dict)
    for report in connection.execute(select(reports)):
        found[report.agency, report.subscription, report.topic][report.partition] = report
    lags = []
    for (agency, subscription, topic), reached in sorted(found.items()):
        if max(report.finished_us for report in reached.values()) < now_us - FORGOTTEN_DAYS * _DAY_US:
            continue
        first_us = min(report.first_us for report in reached.values())
        behind = (
            _oldest_after(connection, topic, partition, reached.get(partition), first_us)
            for partition, head in newest[topic].items()
            if partition not in reached or _place(reached[partition]) < head
        )
        lags.append(
            Lag(agency, subscription, topic, min((at for at in behind if at is not None), default=None))
        )
    return lags


def _place(report: Row[Any]) -> tuple[int, int]:
    return report.broker_time_us, report.offset


def _oldest_after(
    connection: Connection, topic: str, partition: int, report: Row[Any] | None, first_us: int
) -> int | None:
    at, offset = publishes.c.broker_time_us, publishes.c.offset
    after: ColumnElement[bool] = at >= first_us
    if report is not None:
        after = (at >= report.broker_time_us) & ~((at == report.broker_time_us) & (offset <= report.offset))
    query = select(at).where(publishes.c.topic == topic, publishes.c.partition == partition, after)
    query = query.where(publishes.c.outcome == "published")
    return connection.scalar(query.order_by(at).limit(1))


def reported_us(connection: Connection) -> dict[Addressee, int]:
    """Return when each agency last reported an event of each subject."""
    query = select(reports.c.agency, reports.c.topic, func.max(reports.c.finished_us))
    found: dict[Addressee, int] = {}
    for agency, topic, at in connection.execute(query.group_by(reports.c.agency, reports.c.topic)):
        addressee = Addressee(agency, subject_of(topic))
        found[addressee] = max(at, found.get(addressee, at))
    return found


def last_received_and_handled_us(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return when each agency last received and last handled an event; 0 for never."""
    query = select(reports.c.agency, func.max(reports.c.received_us), func.max(reports.c.handled_us))
    return {agency: (got, done) for agency, got, done in connection.execute(query.group_by(reports.c.agency))}


def find_silences(connection: Connection, lags: Iterable[Lag], cutoff_us: int) -> Silences:
    """Return who is silent, of those that cases wait for and of those that subscribe."""
    oldest = (
        select(waits.c.agency, waits.c.subject, func.min(waits.c.since_us))
        .where(not_received, waits.c.since_us < cutoff_us)
        .group_by(waits.c.agency, waits.c.subject)
    )
    waiting = [
        NotReceived(Addressee(agency, subject), at) for agency, subject, at in connection.execute(oldest)
    ]
    waiting += [
        NotReceived(Addressee(lag.agency, subject_of(lag.topic)), lag.since_us)
        for lag in lags
        if lag.since_us is not None
    ]
    return silences(waiting, reported_us(connection), cutoff_us)


def waits_for_silent(found: Silences) -> ColumnElement[bool]:
    """Return whether a transaction waits for an agency that is silent; of a query over `transactions`."""
    silent = select(waits.c.transaction).where(not_received, waits.c.since_us < found.cutoff_us, _of(found))
    return transactions.c.id.in_(silent)


def _of(found: Silences) -> ColumnElement[bool]:
    alternatives = [
        and_(waits.c.agency == addressee.agency, waits.c.subject == addressee.subject)
        for addressee in sorted(found.since_us)
    ]
    first, *rest = alternatives
    for alternative in rest:
        first = first | alternative
    return first


def owed_since(connection: Connection) -> Iterator[tuple[str, int, int]]:
    """Give each agency that owes events, how many, and since when the oldest."""
    owing = select(totals.c.name, totals.c.value).where(
        totals.c.scope == "agency", totals.c.measure == "owed", totals.c.value > 0
    )
    for agency, number in connection.execute(owing).all():
        oldest = select(func.min(waits.c.since_us)).where(waits.c.agency == agency)
        yield agency, number, connection.scalar(oldest) or 0
