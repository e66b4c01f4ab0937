"""Deleting receipts that are old, with all counts kept.

Law of this file: what is deleted was counted, and is never counted again. A transaction goes as a whole, and
only once it has ended: what is in flight stays, however old it is. A receipt from before the last deletion is
new only if its transaction is still kept; else it was counted then, or comes too late to count.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, Select, delete, insert, select, update

from observability.database.schema import (
    deliveries,
    given_up,
    in_flight,
    publishes,
    set_aside,
    totals,
    transactions,
    unchecked,
)

BATCH = 200
"""Transactions in one deletion, so that no reader or writer waits for long."""

_KEY = {"scope": "store", "name": "", "measure": "pruned_us"}
_HERE = [totals.c[name] == value for name, value in _KEY.items()]
_PRUNED_US = select(totals.c.value).where(*_HERE)


def prune(connection: Connection, before_us: int) -> int:
    """Delete some of what ended before a time (microseconds since the epoch), and return how much it was.

    Call it again until it returns 0.
    """
    _note(connection, before_us)
    ids = _some_old(connection, before_us)
    for table, column in (
        (publishes, publishes.c.transaction),
        (deliveries, deliveries.c.transaction),
        (unchecked, unchecked.c.transaction),
        (transactions, transactions.c.id),
    ):
        connection.execute(delete(table).where(column.in_(ids)))
    return len(ids)


def _some_old(connection: Connection, before_us: int) -> Collection[str]:
    ended = select(transactions.c.id).where(~in_flight, transactions.c.last_us < before_us)
    never_events: list[tuple[Select[tuple[str]], ColumnElement[bool]]] = [
        (select(publishes.c.transaction), set_aside & (publishes.c.broker_time_us < before_us)),
        (select(deliveries.c.transaction), given_up & (deliveries.c.finished_us < before_us)),
    ]
    queries = [ended]
    for query, condition in never_events:
        eventless = query.selected_columns[0] == query.selected_columns[0].table.c.event_id
        queries.append(query.where(condition, eventless))
    for query in queries:
        ids: list[str] = list(connection.scalars(query.limit(BATCH)))
        if ids:
            return ids
    return ()


def pruned_us(connection: Connection) -> int:
    """Return before which time receipts were deleted, in microseconds since the epoch; 0 for never."""
    return connection.scalar(_PRUNED_US) or 0


def _note(connection: Connection, before_us: int) -> None:
    stored = connection.scalar(_PRUNED_US)
    if stored is None:
        connection.execute(insert(totals).values(**_KEY, value=before_us))
    elif stored < before_us:
        connection.execute(update(totals).where(*_HERE).values(value=before_us))
