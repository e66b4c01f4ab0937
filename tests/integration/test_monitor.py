"""The monitor reads what real buses wrote to a real Kafka, and a kill changes no number."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from sqlalchemy import create_engine, func, select

import contracts
from bus import Bus, DeadLetter, Event, Outcome, Reason, Settings, apply_topics
from contracts import Catalog
from observability import Store, TransactionView
from observability.database.schema import deliveries, publishes, totals, transactions
from tests.ports import held_port

BORN = "civil-registry.birth-registered"
RECORD = "health.record-opened"
PATIENCE_SECONDS = 120.0


def example(subject: str) -> dict[str, object]:
    """Return valid data of an event, from its contract's own examples."""
    agency, event = subject.split(".")
    folder = Path(contracts.__file__).parent / "agencies" / agency / event / "examples" / "v1" / "valid"
    found = json.loads(min(folder.iterdir()).read_text("utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.fixture
def settings(kafka: str) -> Settings:
    """The tests' broker, with the catalogue's topics."""
    settings = Settings(bootstrap_servers=kafka)
    asyncio.run(apply_topics(settings, Catalog.open()))
    return settings


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database of its own for each test."""
    return f"sqlite:///{tmp_path / 'monitor.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A reader of that database, for which nobody is silent: most agencies do not run here."""
    with Store(url, silent_after_seconds=10 * PATIENCE_SECONDS) as store:
        yield store


@contextmanager
def monitor(settings: Settings, url: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `govbus monitor` while the block runs."""
    environment = {**os.environ, "GOVBUS_BOOTSTRAP_SERVERS": settings.bootstrap_servers}
    command = [
        sys.executable,
        "-c",
        "from bus.cli import main; main()",
        "monitor",
        "--database",
        url,
        *options,
    ]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
        sys.stderr.write(said.decode())  # pytest shows it beside a failure


async def births(settings: Settings, number: int, *, given_up: bool = False) -> list[str]:
    """Register births, let health open a record for each (or give up), and return the transactions."""
    registry, health = Bus("civil-registry", settings=settings), Bus("health", settings=settings)
    waiting: set[str] = set()
    done = asyncio.Event()

    @health.subscribe(BORN, version=1, purpose="open-health-record", name=f"monitor-test-{time.time_ns()}")
    async def open_record(event: Event[Any]) -> Outcome | None:
        if event.transaction not in waiting:
            return None
        if not given_up:
            await event.publish(RECORD, example(RECORD), version="1.0")
        waiting.remove(event.transaction)
        if not waiting:
            done.set()
        return DeadLetter(Reason.TARGET_REJECTED) if given_up else None

    async with registry:
        publishing = [
            registry.publish(BORN, example(BORN), service="birth-of-a-child", version="1.0")
            for _ in range(number)
        ]
        waiting.update(receipt.transaction for receipt in await asyncio.gather(*publishing))
        ids = sorted(waiting)
        async with health, asyncio.timeout(PATIENCE_SECONDS):
            await done.wait()
    return ids


def wait_for(ready: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def has(store: Store, ids: list[str], hops: int) -> Callable[[], bool]:
    """Return whether each transaction is known with at least so many hops answered."""

    def ready() -> bool:
        views = [store.transaction(id_) for id_ in ids]
        return all(view is not None and _answered(view) >= hops for view in views)

    return ready


def _answered(view: TransactionView) -> int:
    return sum(hop.outcome != "retry" for hop in view.hops)


def test_operator_sees_the_transactions_of_real_buses(settings: Settings, url: str, store: Store) -> None:
    """Both receipts of an event meet in one transaction, on the broker's clock."""
    ids = asyncio.run(births(settings, 5))
    with monitor(settings, url) as process:
        wait_for(has(store, ids, 2))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    view = store.transaction(ids[0])
    assert view is not None
    assert (view.service, view.state, view.late) == ("birth-of-a-child", "open", False)
    assert [(hop.subject, hop.subscriber, hop.outcome) for hop in view.hops] == [
        (BORN, "health", "ack"),
        (RECORD, None, "published"),
    ]
    assert [(wait.event, wait.agency) for wait in view.waits_for] == [("tax.taxpayer-number-assigned", "tax")]
    hop = view.hops[0]
    assert hop.queue_ms is not None
    assert hop.handle_ms is not None
    assert 0 <= hop.queue_ms < 60_000
    assert 0 <= hop.handle_ms < 60_000


def test_given_up_delivery_makes_its_transaction_stuck(settings: Settings, url: str, store: Store) -> None:
    """The agency it waits for and the reason are told."""
    ids = asyncio.run(births(settings, 1, given_up=True))
    with monitor(settings, url):
        wait_for(has(store, ids, 1))
    view = store.transaction(ids[0])
    assert view is not None
    assert view.state == "stuck"
    assert {wait.agency: wait.cause for wait in view.waits_for} == {"health": "dead-letter", "tax": None}
    assert "target-rejected" in {
        letter.reason for letter in store.dead_letters() if letter.transaction == ids[0]
    }


def test_killed_monitor_goes_on_and_counts_nothing_twice(settings: Settings, url: str, store: Store) -> None:
    """After `kill -9` between two batches every receipt is there once, and the totals agree with the rows."""
    ids = asyncio.run(births(settings, 30))
    with monitor(settings, url) as process:
        wait_for(lambda: store.summary().receipts > 0)
        process.kill()
        process.wait(PATIENCE_SECONDS)
    ids += asyncio.run(births(settings, 30))
    with monitor(settings, url):
        wait_for(has(store, ids, 2))
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = 0
        for table in (publishes, deliveries):
            rows += connection.scalar(select(func.count()).select_from(table)) or 0
        started = connection.scalar(select(func.count()).where(transactions.c.tracked)) or 0
        counted = connection.scalar(
            select(func.sum(totals.c.value)).where(totals.c.scope == "service", totals.c.measure == "started")
        )
    engine.dispose()
    assert store.summary().receipts == rows
    assert counted == started


def test_monitor_serves_its_metrics_on_loopback(settings: Settings, url: str) -> None:
    """`--metrics-port` is all it takes."""

    def page(port: int) -> str:
        try:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    with held_port() as port, monitor(settings, url, "--metrics-port", str(port)):
        wait_for(lambda: 'govbus_service_deadline_seconds{service="birth-of-a-child"}' in page(port))
