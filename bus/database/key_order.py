"""The order of an outbox's keys: their rows are numbered in the order in which transactions commit.

A database numbers a row when it is written and shows it when its transaction commits, so row 6 may be seen,
and published, before row 5. A transaction that adds an event holds its key until commit:

| database   | how a key is held                                                                         |
|------------|-------------------------------------------------------------------------------------------|
| PostgreSQL | advisory locks of the transaction: shared on the outbox, exclusive on the key             |
| SQLite     | it has one writer at a time                                                               |
| others     | not here: hold the business row (write it, or `SELECT ... FOR UPDATE`) before you add      |

A reader that sees a row then sees every earlier row of its key, whatever is still open.
"""

from collections.abc import Collection
from zlib import crc32

from sqlalchemy import Table, text

from bus.database.shared_transaction import Shared

MOST_KEYS = 500
"""More keys at once hold the whole outbox instead: PostgreSQL's memory for locks is bounded."""

_HOLD_OUTBOX = text("SELECT pg_advisory_xact_lock(:outbox, 0)")
_SHARE_OUTBOX = text("SELECT pg_advisory_xact_lock_shared(:outbox, 0)")
_HOLD_KEYS = text("SELECT pg_advisory_xact_lock(:outbox, key) FROM unnest(CAST(:keys AS int4[])) AS key")


def hold(connection: Shared, table: Table, keys: Collection[str]) -> None:
    """Hold keys of an outbox until the transaction ends; waits for other holders.

    Args:
        connection: the transaction.
        table: the outbox.
        keys: partition keys; those of one call are held in one order, so that two calls never deadlock.
    """
    if connection.dialect.name != "postgresql":
        return
    outbox = _number(table.fullname)
    if len(keys) > MOST_KEYS:
        connection.execute(_HOLD_OUTBOX, {"outbox": outbox})
        return
    connection.execute(_SHARE_OUTBOX, {"outbox": outbox})
    numbers = sorted({_number(key) or 1 for key in keys})
    connection.execute(_HOLD_KEYS, {"outbox": outbox, "keys": numbers})


def _number(name: str) -> int:
    """A signed 32-bit number; keys that share one wait for each other, and lose nothing else."""
    return int.from_bytes(crc32(name.encode()).to_bytes(4, "big"), "big", signed=True)
