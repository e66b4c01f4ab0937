"""Up to when everything that was written to the receipts topics is in the database, as a monitor found it.

It tells a monitor that is behind, or gone, from a day without traffic; the receipts themselves cannot.
"""

from typing import Any

from sqlalchemy import Connection, insert, select, update

from observability.database.schema import totals

KEY = {"scope": "monitor", "name": "", "measure": "read_until_us"}
"""Where it is kept, in microseconds since the epoch on the broker's clock, as the monitor knows it."""


def note_read_until(connection: Connection, at_us: int) -> None:
    """Keep it; it never goes back."""
    stored = read_until_us(connection)
    if stored is None:
        connection.execute(insert(totals).values(**KEY, value=at_us))
    elif stored < at_us:
        connection.execute(update(totals).where(*_here()).values(value=at_us))


def read_until_us(connection: Connection) -> int | None:
    """Return it; None if no monitor has ever read everything."""
    return connection.scalar(select(totals.c.value).where(*_here()))


def _here() -> list[Any]:
    return [totals.c[name] == value for name, value in KEY.items()]
