"""How receipts become rows.

Law of this file: everything is a function of the set of receipts. A batch is settled with what is held of
its transactions; what follows from receipts (transactions, totals) is computed anew and written beside them,
as the difference between what the new rows say and what the old ones said. So a batch adds nothing twice.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from itertools import islice
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from bus import DeliveryReceipt, PublishReceipt
from contracts import Service
from observability.database.schema import (
    definitions,
    deliveries,
    in_flight,
    publishes,
    totals,
    transactions,
    undecodable,
)
from observability.identity import (
    DeliveryKey,
    PublishKey,
    is_eventless,
    settle_deliveries,
    settle_publishes,
    stands,
    transaction_of,
)
from observability.transactions import Assessment, assess, newest_us, steps, subject_of

CHUNK = 500
"""Transactions asked for in one query."""

Place = tuple[str, int, int]
"""Topic, partition and offset of one record."""

Measure = tuple[str, str, str]
"""Scope, name and measure: the key of one total."""

PUBLISH_FIELDS = tuple(column.name for column in fields(PublishReceipt))
DELIVERY_FIELDS = tuple(column.name for column in fields(DeliveryReceipt))
_of_publish = attrgetter(*PUBLISH_FIELDS)
_of_delivery = attrgetter(*DELIVERY_FIELDS)
_publish_columns = [publishes.c[name] for name in PUBLISH_FIELDS]
_delivery_columns = [deliveries.c[name] for name in DELIVERY_FIELDS]


@dataclass(slots=True)
class Held:
    """The receipts of some transactions by what identifies them."""

    publishes: dict[PublishKey, PublishReceipt] = field(default_factory=dict)
    deliveries: dict[DeliveryKey, DeliveryReceipt] = field(default_factory=dict)

    def by_transaction(self) -> dict[str, tuple[list[PublishReceipt], list[DeliveryReceipt]]]:
        """Return the receipts of each transaction; those of records that were no event belong to none."""
        found: dict[str, tuple[list[PublishReceipt], list[DeliveryReceipt]]] = {}
        for publish in self.publishes.values():
            if not is_eventless(publish):
                found.setdefault(publish.transaction, ([], []))[0].append(publish)
        for delivery in self.deliveries.values():
            if not is_eventless(delivery):
                found.setdefault(delivery.transaction, ([], []))[1].append(delivery)
        return found


def load(connection: Connection, ids: Iterable[str]) -> Held:
    """Return all receipts of the named transactions."""
    held = Held()
    for chunk in chunks(ids):
        rows = connection.execute(select(*_publish_columns).where(publishes.c.transaction.in_(chunk)))
        held.publishes.update(settle_publishes(PublishReceipt(*row) for row in rows))
        rows = connection.execute(select(*_delivery_columns).where(deliveries.c.transaction.in_(chunk)))
        held.deliveries.update(settle_deliveries(DeliveryReceipt(*row) for row in rows))
    return held


def apply(
    connection: Connection,
    services: Mapping[str, Service],
    receipts: Iterable[PublishReceipt | DeliveryReceipt],
    places: Iterable[Place],
) -> int:
    """Write what is new of a batch and return how many receipts and undecodable records were."""
    batch = [
        receipt if receipt.transaction else replace(receipt, transaction=transaction_of(receipt))
        for receipt in receipts
    ]
    held = load(connection, {receipt.transaction for receipt in batch})
    counts: Counter[Measure] = Counter()
    published = settle_publishes(row for row in batch if isinstance(row, PublishReceipt))
    delivered = settle_deliveries(row for row in batch if isinstance(row, DeliveryReceipt))
    changed = _merge(connection, publishes, held.publishes, published, counts)
    changed += _merge(connection, deliveries, held.deliveries, delivered, counts)
    _reassess(connection, services, held, {receipt.transaction for receipt in changed}, counts)
    _refresh(connection, max(map(newest_us, changed), default=0), counts)
    news = counts["store", "", "receipts"] + _keep_places(connection, places)
    _add(connection, counts)
    return news


def follow(connection: Connection, services: Mapping[str, Service]) -> None:
    """Assess again what is not completed of each service whose definition has changed."""
    known = {row.service: row.digest for row in connection.execute(select(definitions))}
    current = {name: _digest(service) for name, service in services.items()}
    changed = sorted(name for name in {*known, *current} if known.get(name) != current.get(name))
    open_or_untracked = in_flight | ~transactions.c.tracked
    for name in changed:
        query = select(transactions.c.id).where(transactions.c.service == name, open_or_untracked)
        for chunk in chunks(list(connection.scalars(query))):
            counts: Counter[Measure] = Counter()
            _reassess(connection, services, load(connection, chunk), set(chunk), counts)
            _add(connection, counts)
    if changed:
        connection.execute(delete(definitions))
        if current:
            rows = [{"service": name, "digest": digest} for name, digest in current.items()]
            connection.execute(insert(definitions), rows)


def chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    """Yield the ids in lists short enough for one query."""
    rest = iter(sorted(ids))
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _merge(
    connection: Connection,
    table: Table,
    held: dict[Any, Any],
    batch: Mapping[Any, Any],
    counts: Counter[Measure],
) -> list[PublishReceipt | DeliveryReceipt]:
    """Write the receipts of a batch that stand against what is held, and return them."""
    news, outdated = [], []
    for key, receipt in batch.items():
        old = held.get(key)
        standing = receipt if old is None else stands(old, receipt)
        if standing == old:
            continue
        if old is not None:
            outdated.append(key)
            counts.subtract(_counted(old))
        counts.update(_counted(standing))
        held[key] = standing
        news.append(standing)
    primary = table.primary_key.columns
    for key in outdated:
        connection.execute(
            delete(table).where(*(column == part for column, part in zip(primary, key, strict=True)))
        )
    _insert(connection, table, news)
    return news


def _insert(connection: Connection, table: Table, rows: Sequence[PublishReceipt | DeliveryReceipt]) -> None:
    if not rows:
        return
    names, values = (PUBLISH_FIELDS, _of_publish) if table is publishes else (DELIVERY_FIELDS, _of_delivery)
    connection.execute(insert(table), [dict(zip(names, values(row), strict=True)) for row in rows])


def _counted(receipt: PublishReceipt | DeliveryReceipt) -> list[Measure]:
    counted = [("store", "", "receipts")]
    if isinstance(receipt, PublishReceipt):
        measure = "set-aside" if receipt.outcome == "dead-letter" else receipt.outcome
        counted.append(("agency", receipt.agency, measure))
        if receipt.outcome == "published" and receipt.service:
            counted.append(("event", receipt.service, subject_of(receipt.type)))
    elif receipt.reason != "duplicate":
        counted.append(("agency", receipt.agency, receipt.outcome))
    return counted


def _reassess(
    connection: Connection,
    services: Mapping[str, Service],
    held: Held,
    touched: Collection[str],
    counts: Counter[Measure],
) -> None:
    before: list[Row[Any]] = []
    for chunk in chunks(touched):
        before += connection.execute(select(transactions).where(transactions.c.id.in_(chunk)))
        connection.execute(delete(transactions).where(transactions.c.id.in_(chunk)))
    for row in before:
        counts.subtract(_progress(row.service, row.tracked, row.started_us, row.completed_us, row.late_at_us))
    rows = []
    for id_, (published, delivered) in held.by_transaction().items():
        if id_ in touched:
            now = assess(services, published, delivered)
            counts.update(
                _progress(now.service, now.tracked, now.started_us, now.completed_us, now.late_at_us)
            )
            rows.append(_row(id_, now))
    if rows:
        connection.execute(insert(transactions), rows)


def _row(id_: str, assessed: Assessment) -> dict[str, Any]:
    return {
        "id": id_,
        "service": assessed.service,
        "tracked": assessed.tracked,
        "started_us": assessed.started_us,
        "completed_us": assessed.completed_us,
        "late_at_us": assessed.late_at_us,
        "stuck_at_us": assessed.stuck_at_us,
        "last_us": assessed.last_us,
    }


def _progress(
    service: str | None, tracked: bool, started: int | None, completed: int | None, late_at: int | None
) -> list[Measure]:
    if started is None:
        return []
    if not tracked or service is None:
        return [("store", "", "untracked")]
    progress = [("service", service, "started")]
    if completed is not None:
        progress.append(("service", service, "completed"))
        if late_at is not None and completed > late_at:
            progress.append(("service", service, "late"))
    return progress


def _refresh(connection: Connection, newest_us: int, counts: Counter[Measure]) -> None:
    key = ("store", "", "newest_us")
    held = connection.scalar(select(totals.c.value).where(*_at(key))) or 0
    counts[key] += max(0, newest_us - held)


def _keep_places(connection: Connection, places: Iterable[Place]) -> int:
    news = 0
    for topic, partition, offset in set(places):
        row = {"topic": topic, "partition": partition, "offset": offset}
        where = [undecodable.c[name] == value for name, value in row.items()]
        if connection.execute(select(undecodable).where(*where)).first() is None:
            connection.execute(insert(undecodable).values(row))
            news += 1
    return news


def _add(connection: Connection, counts: Mapping[Measure, int]) -> None:
    for key, difference in sorted(counts.items()):
        if not difference:
            continue
        change = update(totals).where(*_at(key)).values(value=totals.c.value + difference)
        if connection.execute(change).rowcount == 0:
            scope, name, measure = key
            connection.execute(
                insert(totals).values(scope=scope, name=name, measure=measure, value=difference)
            )


def _at(key: Measure) -> list[Any]:
    scope, name, measure = key
    return [totals.c.scope == scope, totals.c.name == name, totals.c.measure == measure]


def _digest(service: Service) -> str:
    rules = (service.start, sorted(service.ends), service.deadline_seconds, steps(service))
    return sha256(repr(rules).encode()).hexdigest()
