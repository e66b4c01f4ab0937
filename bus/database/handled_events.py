"""Handle once: a table of handled events in the handler's own database.

Law of this file: the event's row and the handler's effect are one transaction. Of two processes that handle
the same event at the same time, the second waits for the first on the row's primary key; if the first commits
the second sees a repeated event, if it rolls back or dies the second handles it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Insert,
    MetaData,
    String,
    Table,
    Unicode,
    delete,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from bus.database.shared_transaction import Shared, Transactional, make_table, require_shared, share
from bus.errors import IdReusedError
from bus.event import Event

TABLE = "govbus_handled"
SHOWN_CHARACTERS = 127

# Where the database can pass over a row that is there already, without an error to recover from.
_PASSING_OVER: dict[str, Callable[[Table], Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class HandledEvents:
    """The events that one subscription has handled, kept in the database of its effects.

    Args:
        subscription: its name; another subscription handles the same event for itself.
        table: the table, which subscriptions may share.
        metadata: where the table is described, so that the program's own `create_all` makes it.
        schema: the table's schema.
        now: the current time, aware.
    """

    def __init__(
        self,
        subscription: str,
        *,
        table: str = TABLE,
        metadata: MetaData | None = None,
        schema: str | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.subscription = subscription
        self.table = handled_table(table, metadata if metadata is not None else MetaData(), schema)
        """The SQLAlchemy table, for `create` and migrations."""
        self._now = now

    def create_table(self, session: Transactional) -> None:
        """Make the table, in a migration of Django for example."""
        make_table(session, self.table)

    def once(self, session: Transactional, event: Event[Any]) -> bool:
        """Return whether to handle an event now, and record it in the transaction.

        Call this first, then write the effect, then commit both. Waits while another transaction handles
        the same event.

        Args:
            session: the session or connection that the effect is written with.
            event: the delivered event.

        Returns:
            True if it is new; False if it was handled before.

        Raises:
            IdReusedError: it was handled before with other data.
            UsageError: the connection commits each statement by itself.
        """
        connection = share(session, self.table)
        digest = sha256(event.record.value or b"").hexdigest()
        identity = identity_of(self.subscription, event.source, event.id)
        row = {
            "identity": identity,
            "subscription": _shown(self.subscription),
            "source": _shown(event.source),
            "id": _shown(event.id),
            "data_hash": digest,
            "handled_at": self._now(),
        }
        if self._insert(connection, row):
            require_shared(connection)
            return True
        handled = self._hash_of(connection, identity)
        if handled is not None and handled != digest:
            raise IdReusedError(handled, digest)
        return False

    def _insert(self, connection: Shared, row: dict[str, Any]) -> bool:
        if isinstance(connection, Connection) and connection.dialect.name not in _PASSING_OVER:
            try:
                with connection.begin_nested():
                    connection.execute(insert(self.table), row)
            except IntegrityError:
                return False
            return True
        statement: Insert = _PASSING_OVER[connection.dialect.name](self.table).on_conflict_do_nothing()
        counted = statement.execution_options(preserve_rowcount=True)
        return connection.execute(counted, row).rowcount == 1

    def _hash_of(self, connection: Shared, identity: str) -> str | None:
        query = select(self.table.c.data_hash).where(self.table.c.identity == identity)
        if connection.dialect.name not in _PASSING_OVER:
            # Elsewhere the snapshot may be older than the row; a locking read sees it.
            query = query.with_for_update()
        return connection.execute(query).scalar()

    def prune(self, session: Transactional, *, older_than_days: float) -> int:
        """Delete this subscription's rows of events that were handled long ago.

        Keep them longer than the topic keeps events: an event that comes again later is handled again.

        Args:
            session: a session or connection; the rows are gone when it commits.
            older_than_days: the age from which on they are deleted.

        Returns:
            The number of deleted rows.
        """
        connection = share(session, self.table)
        table = self.table
        old = (table.c.subscription == _shown(self.subscription)) & (
            table.c.handled_at < self._now() - timedelta(days=older_than_days)
        )
        return connection.execute(delete(table).where(old)).rowcount


def handled_table(name: str, metadata: MetaData, schema: str | None = None) -> Table:
    """Return the table of handled events; subscriptions of one `metadata` share it.

    The key is a hash: it has one length for ids of any length, and no collation that takes two for one.
    """
    return Table(
        name,
        metadata,
        Column("identity", String(64), primary_key=True),
        Column("subscription", Unicode(SHOWN_CHARACTERS), nullable=False),
        Column("source", Unicode(SHOWN_CHARACTERS), nullable=False),
        Column("id", Unicode(SHOWN_CHARACTERS), nullable=False),
        Column("data_hash", String(64), nullable=False),
        Column("handled_at", DateTime(timezone=True), nullable=False),
        schema=schema,
        keep_existing=True,
    )


def identity_of(subscription: str, source: str, event_id: str) -> str:
    """Return the primary key of an event: a hash over its parts, each with its length."""
    digest = sha256()
    for part in (subscription, source, event_id):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def _shown(text: str) -> str:
    """For people to read; a foreign id may be too long, or have characters that a database refuses."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:SHOWN_CHARACTERS]
