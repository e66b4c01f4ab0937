"""Which transactions may still commit a row behind one that is visible: PostgreSQL says it, others do not.

A transaction gets its number when it first writes. So a row is behind nothing any more once every transaction
has ended that had a number some seconds after the row was visible: `oldest` has then reached the `following`
of that moment. The seconds are for what takes a number from a sequence and writes it a little later.
"""

import sqlalchemy
from sqlalchemy.exc import ProgrammingError

from connectors.sql.window import OpenTransactions

_SNAPSHOT = sqlalchemy.text(
    "SELECT txid_snapshot_xmin(now), txid_snapshot_xmax(now) FROM txid_current_snapshot() AS now"
)


def transactions_of(connection: sqlalchemy.Connection) -> OpenTransactions | None:
    """The transactions of a database now, None where it does not say."""
    if connection.dialect.name != "postgresql":
        return None
    try:
        oldest, following = connection.execute(_SNAPSHOT).one()
    except ProgrammingError:  # a database that only speaks like PostgreSQL
        connection.rollback()
        return None
    return OpenTransactions(int(oldest), int(following))
