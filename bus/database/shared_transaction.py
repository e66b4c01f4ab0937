"""The database transaction of an agency's own program, shared by handled events and outbox.

Law of this file: what is written for the bus is committed with the program's own rows, or not at all. A
connection that commits each statement by itself is refused.
"""

from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.schema import CreateTable

from bus.database.django_transaction import DjangoConnection, DjangoTransaction
from bus.database.encoding import TextFault, text_fault
from bus.errors import UsageError

Transactional = Session | scoped_session[Any] | Connection | DjangoConnection
"""What shares its transaction: a session or connection of SQLAlchemy, or a connection of Django."""

Shared = Connection | DjangoTransaction
"""The transaction that is shared."""


def share(given: Transactional, table: Table) -> Shared:
    """Return the transaction that is shared; a session is flushed first.

    Flushing puts the program's own changes, and the locks they take, before what is written for the bus.

    Args:
        given: the session or connection; of Django one to PostgreSQL or SQLite.
        table: what will be written to.

    Raises:
        UsageError: it is neither, it commits each statement by itself, or not every text can travel over it.
    """
    if isinstance(given, Connection):
        connection = given
    elif isinstance(given, Session | scoped_session):
        try:
            given.flush()
            connection = given.connection(bind_arguments={"clause": table})
        except TypeError:  # SQLAlchemy reads a text as it opens its first connection, and may get bytes
            if fault := _fault_of_new(given.get_bind(clause=table)):
                raise UsageError(str(fault)) from None
            raise
    elif hasattr(given, "in_atomic_block"):
        return _shared_by_django(given)
    else:
        raise UsageError(
            "Expected a Session or Connection of SQLAlchemy, or a connection of Django, got "
            f"`{type(given).__name__}`. From an AsyncSession or AsyncConnection call it through "
            "`await session.run_sync(...)`"
        )
    if connection.dialect.name != "sqlite":
        try:
            alone = connection.dialect.detect_autocommit_setting(_driver(connection))
        except NotImplementedError:
            alone = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        if alone:
            raise _autocommit()
        if fault := text_fault(_driver(connection)):
            raise UsageError(str(fault))
    return connection


def _shared_by_django(given: DjangoConnection) -> DjangoTransaction:
    transaction = DjangoTransaction(given)
    if fault := text_fault(transaction.driver):
        raise UsageError(str(fault))
    return transaction


def make_table(given: Transactional, table: Table) -> None:
    """Make a table, as a migration does; `given` as for `share`."""
    share(given, table).execute(CreateTable(table))


def require_shared(connection: Shared) -> None:
    """Refuse a write that SQLite has committed by itself; its driver shows that only afterwards.

    Raises:
        UsageError: it has.
    """
    if connection.dialect.name == "sqlite" and not _driver(connection).in_transaction:
        raise _autocommit()


def _fault_of_new(bind: Engine | Connection) -> TextFault | None:
    """Return what is wrong with the texts of a connection, without SQLAlchemy's own first look at it."""
    if isinstance(bind, Connection):
        return None
    arguments, named = bind.dialect.create_connect_args(bind.url)
    driver: Any = bind.dialect.connect(*arguments, **named)
    try:
        return text_fault(driver)
    finally:
        driver.close()


def _driver(connection: Shared) -> Any:
    if isinstance(connection, DjangoTransaction):
        return connection.driver
    return connection.connection.dbapi_connection


def _autocommit() -> UsageError:
    return UsageError(
        "Expected a connection with transactions, got one that commits each statement by itself. "
        "Open it without `isolation_level='AUTOCOMMIT'`"
    )
