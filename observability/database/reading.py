"""Up to when everything that was written to the receipts topics is in the database, and what time it is.

The first tells a monitor that is behind, or gone, from a day without traffic; the receipts themselves cannot.
The second is the broker's time for who only reads the database, wherever that runs: a monitor keeps by how
much the broker's clock is ahead of the database's. That of SQLite is the machine's, where the monitor runs,
too.
"""

from time import time_ns

from sqlalchemy import Connection, insert, select, text, update

from observability.database.schema import totals

READ_UNTIL = "read_until_us"
"""In microseconds since the epoch on the broker's clock, as the monitor knows it."""
AHEAD = "clock_ahead_us"
"""The broker's clock, as the monitor knows it, minus the database's, in microseconds."""


def note_read_until(connection: Connection, at_us: int, now_us: int | None = None) -> None:
    """Keep up to when everything is read, which never goes back, and the broker's time, if it is known."""
    if (read_until_us(connection) or 0) < at_us:
        _keep(connection, READ_UNTIL, at_us)
    if now_us is not None:
        _keep(connection, AHEAD, now_us - _database_us(connection))


def read_until_us(connection: Connection) -> int | None:
    """Return it; None if no monitor has ever read everything."""
    return _kept(connection, READ_UNTIL)


def now_us(connection: Connection) -> int:
    """Return the broker's time, in microseconds since the epoch; the database's if no monitor has told it."""
    return _database_us(connection) + (_kept(connection, AHEAD) or 0)


def _database_us(connection: Connection) -> int:
    if connection.dialect.name != "postgresql":
        return time_ns() // 1000
    seconds = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())"))
    return round((seconds or 0) * 1_000_000)


def _kept(connection: Connection, measure: str) -> int | None:
    return connection.scalar(
        select(totals.c.value).where(
            totals.c.scope == "monitor", totals.c.name == "", totals.c.measure == measure
        )
    )


def _keep(connection: Connection, measure: str, value: int) -> None:
    key = {"scope": "monitor", "name": "", "measure": measure}
    here = [totals.c[name] == part for name, part in key.items()]
    if not connection.execute(update(totals).where(*here).values(value=value)).rowcount:
        connection.execute(insert(totals).values(**key, value=value))
