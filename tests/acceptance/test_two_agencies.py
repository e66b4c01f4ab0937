"""Two agencies, one birth: registered in one process, answered in another, accounted for by a third."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from bus import (
    Bus,
    ContractViolationError,
    DeliveryReceipt,
    Event,
    PublishReceipt,
    Receipt,
    Settings,
    apply_topics,
    decode_receipts,
    receipts_topic,
)
from contracts import Catalog
from tests.grants import with_grant
from tests.small_catalog import SmallCountry
from tests.worlds import PATIENCE_SECONDS, KafkaWorld, records_of, until

ROOT = Path(__file__).parents[2]
REGISTERED, OPENED = "civil-registry.birth-registered", "health.record-opened"
RECORDS = """
import asyncio, sys
from bus import Bus, Event

bus = Bus("health", system="records")

@bus.subscribe("civil-registry.birth-registered", version=1, purpose="open-health-record", name=sys.argv[1])
async def open_record(event: Event) -> None:
    if not event.data["reference"].startswith(sys.argv[2]):
        return
    await event.publish("health.record-opened", {
        "reference": event.data["reference"], "record_number": "HR-00418822", "practice": "Port Ellery",
        "opened_on": event.data["child"]["birth_date"], "vaccination_plan": "standard",
    }, id=f"record-{event.id}", version="1.0")

asyncio.run(bus.run())
"""


@pytest.fixture
async def settings(kafka: str) -> Settings:
    """Where the reference catalogue's topics are."""
    found = Settings(bootstrap_servers=kafka)
    await apply_topics(found, Catalog.open())
    return found


@contextmanager
def health(settings: Settings, name: str, prefix: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the health service as a process of its own; it is gone at the end of the block."""
    environment = {**os.environ, "GOVBUS_BOOTSTRAP_SERVERS": settings.bootstrap_servers}
    child = subprocess.Popen([sys.executable, "-c", RECORDS, name, prefix], env=environment)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(PATIENCE_SECONDS)
        finally:
            child.kill()


def births(prefix: str) -> list[dict[str, Any]]:
    """Return the contract's own examples of a birth, as cases of this test."""
    folder = ROOT / "contracts/agencies/civil-registry/birth-registered/examples/v1/valid"
    found = [orjson.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    return [{**data, "reference": f"{prefix}-{number:04}"} for number, data in enumerate(found)]


async def test_a_birth_opens_a_health_record_and_every_step_is_accounted_for(settings: Settings) -> None:
    """Names in any script arrive; one transaction spans both agencies; receipts tell all, and no name."""
    prefix = f"BRT-{uuid4().hex[:12]}"
    answers: dict[str, Event[Any]] = {}
    catalog = with_grant(Catalog.open(), "civil-registry", OPENED, "tell-the-parents")
    registry = Bus("civil-registry", system="births", settings=settings, catalog=catalog)

    @registry.subscribe(OPENED, version=1, purpose="tell-the-parents", name=f"tell-{prefix}")
    async def tell(event: Event[Any]) -> None:
        if event.data["reference"].startswith(prefix):
            answers[event.data["reference"]] = event

    cases = births(prefix)
    async with registry:
        receipts = [
            await registry.publish(REGISTERED, data, service="birth-of-a-child", version="1.0")
            for data in cases
        ]
        with health(settings, f"open-{prefix}", prefix) as process:
            await until(lambda: len(answers) == len(cases))
        assert process.returncode == 0
    assert len(cases) >= 3
    for receipt, data in zip(receipts, cases, strict=True):
        assert_answered(receipt, answers[data["reference"]])
    await assert_account(settings, receipts, prefix, cases)


def assert_answered(receipt: Receipt, answer: Event[Any]) -> None:
    """Fail unless the answer continues the transaction that the registry began."""
    assert (answer.transaction, answer.causation) == (receipt.transaction, receipt.id)
    assert (answer.service, answer.agency) == ("birth-of-a-child", "health")
    assert answer.started_at == receipt.broker_time
    assert answer.id == f"record-{receipt.id}"
    assert answer.broker_time >= receipt.broker_time


async def assert_account(
    settings: Settings, receipts: list[Receipt], prefix: str, cases: list[dict[str, Any]]
) -> None:
    """Fail unless each transaction has its four receipts in order, and no receipt holds a name."""
    written = [
        record.value or b""
        for agency in ("civil-registry", "health")
        for record in await records_of(settings.bootstrap_servers, receipts_topic(agency), committed=True)
    ]
    rows = [row for value in written for row in decode_receipts(value)]
    for receipt in receipts:
        ours = [row for row in rows if row.transaction == receipt.transaction]
        mine = [row for row in ours if not isinstance(row, DeliveryReceipt) or prefix in row.subscription]
        assert sorted(step(row) for row in mine) == [
            ("civil-registry", "ack", f"{OPENED}.v1"),
            ("civil-registry", "published", f"{REGISTERED}.v1"),
            ("health", "ack", f"{REGISTERED}.v1"),
            ("health", "published", f"{OPENED}.v1"),
        ]
        assert {row.started_at_us for row in mine} == {receipt.timestamp * 1000}
    names = [name.encode() for data in cases for name in (data["child"]["name"], data["parents"][0]["name"])]
    mine_bytes = b"".join(value for value in written if receipts[0].transaction.encode() in value)
    assert mine_bytes
    assert [name for name in names if name in mine_bytes] == []


def step(row: PublishReceipt | DeliveryReceipt) -> tuple[str, str, str]:
    """Return who did what to which type of event."""
    return row.agency, row.outcome, row.type


async def test_what_breaks_the_contract_never_reaches_the_other_agency(settings: Settings) -> None:
    """The registry hears every fault at once; the health service sees only what follows."""
    prefix = f"BRT-{uuid4().hex[:12]}"
    seen: list[str] = []
    registry = Bus("civil-registry", system="births", settings=settings)
    reader = Bus("health", system="records", settings=settings)

    @reader.subscribe(REGISTERED, version=1, purpose="open-health-record", name=f"read-{prefix}")
    async def read(event: Event[Any]) -> None:
        if event.data["reference"].startswith(prefix):
            seen.append(event.data["reference"])

    right = births(prefix)[0]
    wrong = {**right, "child": {"name": "", "birth_date": "yesterday"}, "height": 51}
    async with registry, reader:
        with pytest.raises(ContractViolationError) as caught:
            await registry.publish(REGISTERED, wrong, version="1.0")
        await registry.publish(REGISTERED, right, version="1.0")
        await until(lambda: seen)
    assert seen == [right["reference"]]
    assert len(caught.value.violations) >= 3
    assert "yesterday" not in str(caught.value)


async def test_a_subscriber_that_comes_later_still_gets_everything(
    settings: Settings, tmp_path: Path
) -> None:
    """An agency that joins after the fact reads from the first event its topic still holds."""
    world = KafkaWorld(SmallCountry(tmp_path / "catalog"), settings.bootstrap_servers)
    await apply_topics(settings, world.country.catalog)
    async with world.bus(world.country.north) as publisher:
        await publisher.publish_many(
            world.country.opened,
            [{"reference": f"case-{n:04}", "number": n} for n in range(50)],
            version="1.0",
        )
    seen: list[int] = []
    late = world.bus(world.country.south)

    @late.subscribe(world.country.opened, version=1, purpose="close-cases")
    async def keep(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    async with late:
        await until(lambda: len(seen) == 50)
    assert sorted(seen) == list(range(50))
