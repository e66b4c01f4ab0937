"""Writes receipts, and the transactions and totals that follow from them.

Law of this file: every row is a function of the set of receipts. The receipts of a batch are merged with the
stored ones of the same transactions; these transactions are then assessed again, and the totals change by the
difference. So applying a batch twice changes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from itertools import chain, islice, starmap
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import BindParameter, Connection, Row, Table, bindparam, delete, insert, select, update

from bus import DeliveryReceipt, PublishReceipt
from contracts import Service
from observability.database.contradictions import (
    at_a_place_of_another,
    before_their_cause,
    before_their_publish,
)
from observability.database.progress import advance, owe
from observability.database.retention import pruned_us
from observability.database.rows import insert_rows
from observability.database.schema import (
    definitions,
    deliveries,
    disbelieved,
    in_flight,
    publishes,
    refusals,
    totals,
    transactions,
    undecodable,
)
from observability.evidence.silence import Addressee
from observability.evidence.trust import Fault, Refusal, contradicts, whom
from observability.identity import (
    AnyReceipt,
    DeliveryKey,
    PublishKey,
    delivery_key,
    is_eventless,
    preferred,
    publish_key,
    settle_deliveries,
    settle_publishes,
    transaction_of,
)
from observability.transactions import Assessment, assess, newest_us, steps, subject_of

AHEAD_US = 60_000_000
"""How far a receipt may be ahead of the monitor's clock; one that is further is from the future."""

CLOCK_ERROR_US = 100_000
"""How far two times of the broker's clock, read by different processes, may be apart for no other cause."""

Grants = Collection[Addressee] | None

Id = TypeVar("Id", str, int)

CHUNK = 500
"""Most ids in one query."""

Place = tuple[str, int, int]
"""Topic, partition and offset of one record."""

PLACE = ("topic", "partition", "offset")

Measure = tuple[str, str, str]
"""Scope, name and measure: the key of a total."""

PUBLISH_FIELDS = tuple(column.name for column in fields(PublishReceipt))
DELIVERY_FIELDS = tuple(column.name for column in fields(DeliveryReceipt))
_of_publish = attrgetter(*PUBLISH_FIELDS)
_of_delivery = attrgetter(*DELIVERY_FIELDS)
publish_columns = [publishes.c[name] for name in PUBLISH_FIELDS]
delivery_columns = [deliveries.c[name] for name in DELIVERY_FIELDS]

ASSESSED = [name for name in transactions.c.keys() if name != "id"]  # noqa: SIM118 - no mapping
"""Columns of `transactions`, each named as the attribute of `Assessment` that it holds."""
_assessed = attrgetter(*ASSESSED)


# Made once: SQLAlchemy takes as long to make a statement as SQLite to run it.
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_PUBLISHES = select(*publish_columns).where(publishes.c.transaction.in_(_IDS))
_DELIVERIES = select(*delivery_columns).where(deliveries.c.transaction.in_(_IDS))
_TRANSACTIONS = select(transactions).where(transactions.c.id.in_(_IDS))
_NO_TRANSACTIONS = delete(transactions).where(transactions.c.id.in_(_IDS))
_SHOWN = select(refusals.c.offset).where(
    *(refusals.c[name] == bindparam(name) for name in ("speaker", "fault", "topic", "partition")),
    refusals.c.offset.in_(_IDS),
)
_TOTAL = tuple(totals.primary_key.columns)
_TOTALS = select(*_TOTAL).where(totals.c.name.in_(_IDS))
_MORE = (
    update(totals)
    .where(*(column == bindparam(f"of_{column.name}") for column in _TOTAL))
    .values(value=totals.c.value + bindparam("difference"))
)
_NEWEST = ("store", "", "newest_us")
_NEWEST_US = select(totals.c.value).where(
    *(column == part for column, part in zip(_TOTAL, _NEWEST, strict=True))
)


@dataclass(slots=True)
class StoredReceipts:
    """The stored receipts of some transactions, by key."""

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


def load(connection: Connection, ids: Iterable[str]) -> StoredReceipts:
    """Return all stored receipts of the transactions."""
    stored = StoredReceipts()
    for chunk in chunks(ids):
        found = connection.execute(_PUBLISHES, {"ids": chunk})
        for publish in starmap(PublishReceipt, found.all()):
            stored.publishes[publish_key(publish)] = publish
        found = connection.execute(_DELIVERIES, {"ids": chunk})
        for delivery in starmap(DeliveryReceipt, found.all()):
            stored.deliveries[delivery_key(delivery)] = delivery
    return stored


def apply(
    connection: Connection,
    services: Mapping[str, Service],
    receipts: Iterable[AnyReceipt],
    places: Iterable[Place],
    refused: Iterable[Refusal] = (),
    *,
    doubted: Collection[PublishKey] = (),
    now_us: int,
    grants: Grants = None,
) -> int:
    """Write a batch and return how many of its receipts and undecodable records are new.

    Args:
        connection: of the write.
        services: the service definitions by name.
        receipts: the receipts of the batch.
        places: the records that held none.
        refused: the receipts that are not believed.
        doubted: the publishes of the batch that are unchecked.
        now_us: the time of the write; a receipt from after it is stored, and moves nothing forward.
        grants: which agency may receive which events; all of them if None.
    """
    batch = [
        receipt if receipt.transaction else replace(receipt, transaction=transaction_of(receipt))
        for receipt in receipts
    ]
    stored = load(connection, {receipt.transaction for receipt in batch})
    batch = _not_pruned(batch, stored, pruned_us(connection))
    counts: Counter[Measure] = Counter()
    publish_rows = [row for row in batch if isinstance(row, PublishReceipt)]
    published = settle_publishes(publish_rows)
    delivered = settle_deliveries(row for row in batch if isinstance(row, DeliveryReceipt))
    changed = _merge(connection, publishes, stored.publishes, published, counts)
    contradicting = [
        row
        for row in publish_rows
        if (counting := stored.publishes[publish_key(row)]) is not row and contradicts(counting, row)
    ]
    changed += _merge(connection, deliveries, stored.deliveries, delivered, counts)
    new_publishes = [row for row in changed if isinstance(row, PublishReceipt)]
    twice = at_a_place_of_another(connection, stored.publishes, new_publishes)
    contradicting += _take_out(connection, publishes, stored.publishes, twice, counts)
    early = _take_early_out(connection, stored, counts, doubted)
    refused = [
        *refused,
        *(_refusal(row, "contradiction") for row in contradicting),
        *(_refusal(row, "before-cause") for row in early),
    ]
    _note(connection, refused, now_us)
    if contradicting or early:
        gone = {*contradicting, *early}
        changed = [row for row in changed if row not in gone]
    _reassess(
        connection, services, stored, {receipt.transaction for receipt in changed}, counts, grants=grants
    )
    latest_us = now_us + AHEAD_US
    known = [at for receipt in changed if (at := newest_us(receipt)) <= latest_us]
    counts["store", "", "future"] += len(changed) - len(known)
    _refresh(connection, max(known, default=0), counts)
    advance(connection, changed, latest_us)
    new = counts["store", "", "receipts"] + _keep_places(connection, places)
    _add(connection, counts)
    return new


def _not_pruned(batch: list[AnyReceipt], stored: StoredReceipts, before_us: int) -> list[AnyReceipt]:
    """Return the receipts that were not counted and deleted before."""
    if not before_us or all(newest_us(receipt) >= before_us for receipt in batch):
        return batch
    kept = {key[0] for key in (*stored.publishes, *stored.deliveries)}
    return [receipt for receipt in batch if newest_us(receipt) >= before_us or receipt.transaction in kept]


def follow(connection: Connection, services: Mapping[str, Service], grants: Grants = None) -> None:
    """Assess the transactions that are not completed again, where the definition of their service changed."""
    known = {row.service: row.digest for row in connection.execute(select(definitions))}
    current = {name: _digest(service) for name, service in services.items()}
    changed = sorted(name for name in {*known, *current} if known.get(name) != current.get(name))
    open_or_untracked = in_flight | ~transactions.c.tracked
    for name in changed:
        query = select(transactions.c.id).where(transactions.c.service == name, open_or_untracked)
        for chunk in chunks(list(connection.scalars(query))):
            counts: Counter[Measure] = Counter()
            _reassess(connection, services, load(connection, chunk), set(chunk), counts, grants=grants)
            _add(connection, counts)
    if changed:
        connection.execute(delete(definitions))
        if current:
            rows = [{"service": name, "digest": digest} for name, digest in current.items()]
            connection.execute(insert(definitions), rows)


def chunks(ids: Iterable[Id]) -> Iterator[list[Id]]:
    """Yield the ids, sorted, in lists short enough for one query."""
    rest = iter(sorted(ids))
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _merge(
    connection: Connection,
    table: Table,
    stored: dict[Any, Any],
    batch: Mapping[Any, Any],
    counts: Counter[Measure],
) -> list[AnyReceipt]:
    """Write the receipts of a batch that are new or replace a stored one, and return them."""
    written, replaced = [], []
    for key, receipt in batch.items():
        old = stored.get(key)
        counting = receipt if old is None else preferred(old, receipt)
        if counting == old:
            continue
        if old is not None:
            replaced.append(key)
            counts.subtract(_counted(old))
        stored[key] = counting
        written.append(counting)
    counts.update(chain.from_iterable(map(_counted, written)))
    for key in replaced:
        connection.execute(delete(table).where(*of_key(table, key)))
    _insert(connection, table, written)
    return written


def settle(
    connection: Connection,
    services: Mapping[str, Service],
    confirmed: Collection[PublishKey],
    refuted: Mapping[PublishKey, Fault],
    *,
    now_us: int,
    grants: Grants = None,
) -> None:
    """Take publishes out that turned out to be false, or others to be, and count them as not believed."""
    counts: Counter[Measure] = Counter()
    touched = {transaction for transaction, _, _ in (*confirmed, *refuted)}
    stored = load(connection, touched)
    found = [key for key in refuted if key in stored.publishes]
    gone = _take_out(connection, publishes, stored.publishes, found, counts)
    early = _take_early_out(connection, stored, counts)
    refused = [_refusal(row, refuted[publish_key(row)]) for row in gone]
    _note(connection, [*refused, *(_refusal(row, "before-cause") for row in early)], now_us)
    _reassess(connection, services, stored, touched, counts, grants=grants)
    _add(connection, counts)


def _take_early_out(
    connection: Connection,
    stored: StoredReceipts,
    counts: Counter[Measure],
    doubted: Collection[PublishKey] = (),
) -> list[AnyReceipt]:
    """Take out what happened before its cause."""
    effects = before_their_cause(connection, stored.publishes, stored.deliveries, doubted)
    published = _take_out(connection, publishes, stored.publishes, effects, counts)
    handled = before_their_publish(connection, stored.publishes, stored.deliveries, doubted)
    return published + _take_out(connection, deliveries, stored.deliveries, handled, counts)


def _take_out(
    connection: Connection,
    table: Table,
    stored: dict[Any, Any],
    keys: Iterable[Any],
    counts: Counter[Measure],
) -> list[Any]:
    """Delete rows of receipts, from the stored ones too, and return them."""
    gone = []
    for key in keys:
        receipt = stored.pop(key)
        counts.subtract(_counted(receipt))
        connection.execute(delete(table).where(*of_key(table, key)))
        gone.append(receipt)
    return gone


def of_key(table: Table, key: Iterable[Any]) -> list[Any]:
    """Return the condition that selects the row of a primary key."""
    return [column == part for column, part in zip(table.primary_key.columns, key, strict=True)]


def _refusal(receipt: AnyReceipt, fault: Fault) -> Refusal:
    place = receipt.topic, receipt.partition, receipt.offset
    return Refusal(receipt.agency, fault, place, whom(receipt, receipt.agency))


def _note(connection: Connection, refused: Iterable[Refusal], now_us: int) -> None:
    """Count what is not believed, once for each place that shows it."""
    shown: dict[tuple[str, Fault, str, int], dict[int, list[Refusal]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for refusal in refused:
        topic, partition, offset = refusal.place
        shown[refusal.speaker, refusal.fault, topic, partition][offset].append(refusal)
    latest: dict[tuple[str, Fault], str] = {}
    new: Counter[tuple[str, Fault]] = Counter()
    fresh: list[tuple[object, ...]] = []
    for (speaker, fault, topic, partition), by_offset in shown.items():
        where = {"speaker": speaker, "fault": fault, "topic": topic, "partition": partition}
        known: set[int] = set()
        for chunk in chunks(by_offset):
            known.update(connection.scalars(_SHOWN, {**where, "ids": chunk}))
        for offset, found in by_offset.items():
            if offset not in known:
                fresh.append((speaker, fault, topic, partition, offset))
                new[speaker, fault] += len(found)
                latest[speaker, fault] = found[-1].about
    insert_rows(connection, refusals, ("speaker", "fault", *PLACE), fresh)
    for (speaker, fault), about in sorted(latest.items()):
        values = {"receipts": new[speaker, fault], "noted_us": now_us, "about": about}
        more = {**values, "receipts": disbelieved.c.receipts + values["receipts"]}
        change = update(disbelieved).where(*of_key(disbelieved, (speaker, fault))).values(more)
        if connection.execute(change).rowcount == 0:
            connection.execute(insert(disbelieved).values(speaker=speaker, fault=fault, **values))


def _insert(connection: Connection, table: Table, rows: Sequence[AnyReceipt]) -> None:
    names, values = (PUBLISH_FIELDS, _of_publish) if table is publishes else (DELIVERY_FIELDS, _of_delivery)
    insert_rows(connection, table, names, list(map(values, rows)))


def _counted(receipt: AnyReceipt) -> list[Measure]:
    counted = [("store", "", "receipts")]
    if isinstance(receipt, PublishReceipt):
        measure = "set-aside" if receipt.outcome == "dead-letter" else receipt.outcome
        counted.append(("agency", receipt.agency, measure))
        if receipt.outcome == "published" and receipt.service:
            counted.append(("event", receipt.service, subject_of(receipt.type)))
        return counted
    if receipt.reason != "duplicate":
        counted.append(("agency", receipt.agency, receipt.outcome))
    received_us = receipt.received_us
    if (
        received_us < receipt.broker_time_us - CLOCK_ERROR_US
        or receipt.finished_us < received_us - CLOCK_ERROR_US
    ):
        counted.append(("store", "", "backwards"))
    return counted


def _reassess(
    connection: Connection,
    services: Mapping[str, Service],
    stored: StoredReceipts,
    touched: Collection[str],
    counts: Counter[Measure],
    *,
    grants: Grants,
) -> None:
    for chunk in chunks(touched):
        found = connection.execute(_TRANSACTIONS, {"ids": chunk}).all()
        counts.subtract(chain.from_iterable(map(_progress, found)))
        connection.execute(_NO_TRANSACTIONS, {"ids": chunk})
    rows = []
    owed = {}
    for id_, (published, delivered) in stored.by_transaction().items():
        if id_ in touched:
            now = assess(services, published, delivered, grants)
            owed[id_] = now.waits
            counts.update(_progress(now))
            rows.append((id_, *_assessed(now)))
    insert_rows(connection, transactions, ("id", *ASSESSED), rows)
    for chunk in chunks(touched):
        changes = owe(connection, chunk, {id_: owed[id_] for id_ in chunk if id_ in owed})
        counts.update({("agency", agency, "owed"): number for agency, number in changes.items()})


def _progress(found: Row[Any] | Assessment) -> list[Measure]:
    progress = [("store", "", "kept-refusals")] * found.kept_refusals
    if found.started_us is None:
        return progress
    if not found.tracked or found.service is None:
        return [*progress, ("store", "", "untracked")]
    progress.append(("service", found.service, "started"))
    if found.completed_us is not None:
        progress.append(("service", found.service, "completed"))
        if found.late_at_us is not None and found.completed_us > found.late_at_us:
            progress.append(("service", found.service, "late"))
    return progress


def _refresh(connection: Connection, newest_us: int, counts: Counter[Measure]) -> None:
    counts[_NEWEST] += max(0, newest_us - (connection.scalar(_NEWEST_US) or 0))


def _keep_places(connection: Connection, places: Iterable[Place]) -> int:
    new = 0
    for place in set(places):
        row = dict(zip(PLACE, place, strict=True))
        where = [undecodable.c[name] == value for name, value in row.items()]
        if connection.execute(select(undecodable).where(*where)).first() is None:
            connection.execute(insert(undecodable).values(row))
            new += 1
    return new


def _add(connection: Connection, counts: Mapping[Measure, int]) -> None:
    changed = {key: difference for key, difference in sorted(counts.items()) if difference}
    known: set[Measure] = set()
    for chunk in chunks({name for _, name, _ in changed}):
        known.update(map(tuple, connection.execute(_TOTALS, {"ids": chunk})))
    more = [
        {"of_scope": scope, "of_name": name, "of_measure": measure, "difference": difference}
        for (scope, name, measure), difference in changed.items()
        if (scope, name, measure) in known
    ]
    if more:
        connection.execute(_MORE, more)
    fresh = [(*key, difference) for key, difference in changed.items() if key not in known]
    insert_rows(connection, totals, ("scope", "name", "measure", "value"), fresh)


def _digest(service: Service) -> str:
    rules = (service.start, sorted(service.ends), service.deadline_seconds, steps(service))
    return sha256(repr(rules).encode()).hexdigest()
