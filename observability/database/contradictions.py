"""Receipts that cannot be true beside others that are stored.

Law of this file: the word of one agency is held against that of another only where the topic has confirmed
the other. Of two words of one agency about the same offset the one that came first stays.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import Connection, bindparam, func, select, tuple_

from bus import DeliveryReceipt, PublishReceipt
from observability.database.schema import publishes, unchecked
from observability.evidence.trust import (
    SAME_RECORD_US,
    is_before_cause,
    is_before_publish,
    names_offset,
    same_record,
)
from observability.identity import DeliveryKey, PublishKey, publish_key

Published = Mapping[PublishKey, PublishReceipt]
Delivered = Mapping[DeliveryKey, DeliveryReceipt]

_KEY = [column.name for column in publishes.primary_key.columns]

# Made once: SQLAlchemy takes as long to make a statement as SQLite to run it.
_THERE = (
    publishes.c.topic == bindparam("topic"),
    publishes.c.partition == bindparam("partition"),
    publishes.c.broker_time_us.between(bindparam("since_us"), bindparam("until_us")),
)
_TWICE = select(publishes.c.offset).where(*_THERE).group_by(publishes.c.offset).having(func.count() > 1)
_CLAIMS = select(*(publishes.c[name] for name in (*_KEY, "broker_time_us"))).where(
    *_THERE, publishes.c.offset == bindparam("offset")
)


def before_their_publish(
    connection: Connection, published: Published, delivered: Delivered, doubted: Collection[PublishKey] = ()
) -> list[DeliveryKey]:
    """Return the deliveries that ended before their event was published.

    `doubted` are the publishes that are unchecked, but not remembered as such yet.
    """
    early = {
        key: of
        for key, delivery in delivered.items()
        if (publish := published.get(of := (delivery.transaction, delivery.source, delivery.event_id)))
        and is_before_publish(delivery, publish)
    }
    return [key for key, of in early.items() if _are_confirmed(connection, {of}, doubted)]


def _are_confirmed(connection: Connection, keys: set[PublishKey], doubted: Collection[PublishKey]) -> bool:
    same = tuple_(*(unchecked.c[name] for name in _KEY)).in_(keys)
    return not keys & set(doubted) and connection.execute(select(unchecked).where(same)).first() is None


def before_their_cause(
    connection: Connection, published: Published, delivered: Delivered, doubted: Collection[PublishKey] = ()
) -> list[PublishKey]:
    """Return the publishes from before the event of their transaction that caused them.

    `doubted` as above.
    """
    by_id: dict[tuple[str, str], list[PublishReceipt]] = defaultdict(list)
    for publish in published.values():
        by_id[publish.transaction, publish.event_id].append(publish)
    found = []
    for key, publish in published.items():
        causes = by_id.get((publish.transaction, publish.causation or ""), [])
        if causes and all(is_before_cause(publish, cause) for cause in causes):
            heard = [
                delivery
                for (case, _, id_, agency, *_), delivery in delivered.items()
                if (case, id_, agency) == (publish.transaction, publish.causation, publish.agency)
            ]
            if not all(is_before_cause(publish, cause, heard) for cause in causes):
                continue
            if _are_confirmed(connection, {publish_key(cause) for cause in causes}, doubted):
                found.append(key)
    return found


def at_a_place_of_another(
    connection: Connection, published: Published, new: Collection[PublishReceipt]
) -> list[PublishKey]:
    """Return the new publishes, written already, at the offset of another event."""
    places: dict[tuple[str, int], list[PublishReceipt]] = defaultdict(list)
    for publish in new:
        if names_offset(publish):
            places[publish.topic, publish.partition].append(publish)
    found: list[PublishKey] = []
    for (topic, partition), here in places.items():
        for since_us, until_us in _spans(here):
            there = {"topic": topic, "partition": partition, "since_us": since_us, "until_us": until_us}
            for offset in connection.scalars(_TWICE, there).all():
                rows = connection.execute(_CLAIMS, {**there, "offset": offset})
                claims = {(case, source, id_): at_us for case, source, id_, at_us in rows}
                found += _later(claims, [publish_key(one) for one in here if one.offset == offset])
    return [key for key in found if key in published]


def _later(claims: Mapping[PublishKey, int], new: Sequence[PublishKey]) -> Iterator[PublishKey]:
    """Yield the new ones that name the place of one that came before them."""
    before = [at_us for key, at_us in claims.items() if key not in new]
    for key in new:
        if key in claims:
            if any(same_record(claims[key], at_us) for at_us in before):
                yield key
            before.append(claims[key])


def _spans(here: Collection[PublishReceipt]) -> Iterator[tuple[int, int]]:
    """Yield the times in which the same offset may be named, as few and short as can be."""
    times = sorted(publish.broker_time_us for publish in here)
    since_us = until_us = times[0]
    for at_us in times:
        if at_us > until_us + 2 * SAME_RECORD_US:
            yield since_us - SAME_RECORD_US, until_us + SAME_RECORD_US
            since_us = at_us
        until_us = at_us
    yield since_us - SAME_RECORD_US, until_us + SAME_RECORD_US
