"""The database transaction of an agency's own program, shared by handled events and outbox.

Law of this file: what is written for the bus is committed with the program's own rows, or not at all. A
connection that commits each statement by itself is refused.
"""

from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.orm import Session, scoped_session

from bus.database.encoding import TextFault, text_fault
from bus.errors import UsageError

Transactional = Session | scoped_session[Any] | Connection
"""What shares its transaction: a SQLAlchemy session or connection."""


def share(given: Transactional, table: Table) -> Connection:
    """Return the connection whose transaction is shared; a session is flushed first.

    Flushing puts the program's own changes, and the locks they take, before what is written for the bus.

    Args:
        given: the session or connection.
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
    else:
        raise UsageError(
            f"Expected a SQLAlchemy Session or Connection, got `{type(given).__name__}`. "
            "From an AsyncSession or AsyncConnection call it through `await session.run_sync(...)`"
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


def require_shared(connection: Connection) -> None:
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


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection


def _autocommit() -> UsageError:
    return UsageError(
        "Expected a connection with transactions, got one that commits each statement by itself. "
        "Open it without `isolation_level='AUTOCOMMIT'`"
    )
