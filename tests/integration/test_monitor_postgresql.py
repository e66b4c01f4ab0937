"""The store keeps its promises on a real PostgreSQL.

A private cluster is started where `initdb` is installed, on a socket in a folder of its own; elsewhere these
tests skip with the reason.
"""

import threading
from typing import Any, cast

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from bus import HandledEvents, UsageError
from connectors.database import Database
from connectors.errors import ConfigurationError
from observability import Store, StoreError
from tests.postgresql import new_database
from tests.unit.observability.country import SERVICES, whole_birth
from tests.unit.observability.store_promises import StorePromises


@pytest.fixture
def url(postgresql: str) -> str:
    """A database of its own for each test."""
    return new_database(postgresql)


class TestPostgresql(StorePromises):
    """Every promise, on PostgreSQL."""

    @pytest.fixture
    def url(self, url: str) -> str:
        """The module's database."""
        return url


def test_monitors_that_meet_do_not_count_twice(url: str) -> None:
    """In a rebalance two monitors may write the same receipts at the same time."""
    faults: list[BaseException] = []
    stores = [Store(url, SERVICES) for _ in range(3)]
    start = threading.Barrier(len(stores))

    def write(store: Store) -> None:
        try:
            start.wait()
            for number in range(20):
                store.apply([*whole_birth(f"case-{number}"), *whole_birth(f"case-{number + 1}")[:4]])
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test must see it
            faults.append(error)

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    summary = stores[0].summary()
    for store in stores:
        store.close()
    assert faults == []
    assert (summary.completed, summary.transactions, summary.receipts) == (20, 21, 144)


# SQLAlchemy leaves the connection open whose first text it could not read.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_does_not_take_every_text_is_refused_at_the_start(
    postgresql: str, encoding: str
) -> None:
    """With what came and what to do, by monitor, handled events and the reader of a table."""
    url = new_database(postgresql, encoding)
    with pytest.raises(
        StoreError, match=f"encoding UTF8.*got {encoding}, to a database of encoding {encoding}"
    ):
        Store(url, SERVICES)
    named = f"{url}&client_encoding={'utf8' if encoding == 'LATIN1' else 'latin1'}"
    with Session(create_engine(url)) as session, pytest.raises(UsageError, match="encoding UTF8, which"):
        HandledEvents("office").once(session, cast(Any, None))
    engine = create_engine(named)
    with (
        engine.connect() as connection,
        pytest.raises(UsageError, match="encoding UTF8, which takes every text"),
    ):
        HandledEvents("office").once(connection, cast(Any, None))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE people (number int PRIMARY KEY, name text)"))
        connection.execute(text("INSERT INTO people VALUES (1, 'Ma\u00eb')"))
    engine.dispose()
    for address in {named, url}:
        database = Database(SecretStr(address), "people")
        if address == url and encoding == "SQL_ASCII":
            with pytest.raises(ConfigurationError, match="client_encoding=utf8"), database.connect():
                pass
        else:
            with database.connect() as connection:
                assert connection.scalar(text("SELECT name FROM people")) == "Ma\u00eb"
        database.close()


def test_a_database_of_no_encoding_serves_where_the_url_says_which_one(postgresql: str) -> None:
    """The remedy that the message gives."""
    with Store(f"{new_database(postgresql, 'SQL_ASCII')}&client_encoding=utf8", SERVICES) as store:
        store.apply(whole_birth("\u017eivot-\u4e2d"))
        assert [view.id for view in store.transactions()] == ["\u017eivot-\u4e2d"]
