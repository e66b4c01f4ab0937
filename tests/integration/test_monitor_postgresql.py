"""The store keeps its promises on a real PostgreSQL.

A private cluster is started where `initdb` is installed, on a socket in a folder of its own; elsewhere these
tests skip with the reason.
"""

import threading
from collections.abc import Iterator

import pytest

from observability import Store
from tests.postgresql import new_database, private_server
from tests.unit.observability.country import SERVICES, whole_birth
from tests.unit.observability.store_promises import StorePromises


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server that belongs to these tests, without a database name."""
    with private_server() as url:
        yield url


@pytest.fixture
def url(server: str) -> str:
    """A database of its own for each test."""
    return new_database(server)


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
