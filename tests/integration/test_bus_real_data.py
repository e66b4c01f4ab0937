"""Real governments' events over the bus: accepted ones arrive unchanged, refused ones never leave."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from bus import Bus, ContractViolationError, Draft, Event, Receipt, Record, apply_topics, receipts_topic
from contracts import Catalog, PartitionKeyError
from tests.grants import with_grant
from tests.real_catalogs import (
    CLOUD_EVENT,
    FILING,
    SIGNAL,
    RealCatalog,
    RealExample,
    bc_registries,
    nhs_mns,
    shared_folder,
)
from tests.small_catalog import SmallCountry
from tests.worlds import KafkaWorld, until

FOLDERS = {"bc-registries": bc_registries, "nhs-mns": nhs_mns}
SUBJECTS = {FILING: "bc-registries", SIGNAL: "nhs-mns", CLOUD_EVENT: "nhs-mns"}


@dataclass(frozen=True)
class Registered:
    """A real publisher's contract, registered, with its topic on a real broker."""

    world: KafkaWorld
    catalog: Catalog
    real: RealCatalog
    subject: str

    def bus(self) -> Bus:
        """Return a bus of the publisher, which keeps a copy of what it publishes."""
        agency = self.subject.partition(".")[0]
        catalog = with_grant(self.catalog, agency, self.subject, "keep-a-copy")
        return Bus(agency, settings=self.world.settings(), catalog=catalog)

    def examples(self, *, accepted: bool) -> Sequence[RealExample]:
        """Return the examples that the contract takes, or those that it refuses."""
        return [
            example
            for example in self.real.examples
            if example.subject == self.subject and example.accepted is accepted
        ]


async def registered(subject: str, kafka: str, country: SmallCountry, root: Path) -> Registered:
    """Register a contract; skip where the machine lacks the data."""
    name = SUBJECTS[subject]
    folder = shared_folder(name)
    if folder is None:
        pytest.skip(f"no folder shared/real/{name} here: GOVBUS_SHARED names the folder `shared`")
    real = FOLDERS[name](folder, root)
    catalog = Catalog.open(real.root)
    world = KafkaWorld(country, kafka)
    await apply_topics(world.settings(), catalog)
    return Registered(world, catalog, real, subject)


async def carried(found: Registered) -> tuple[list[Receipt], list[Event[Any]]]:
    """Publish every accepted example, receive it, and return both ends in the order of the examples."""
    seen: dict[str, Event[Any]] = {}
    bus = found.bus()

    @bus.subscribe(found.subject, version=1, purpose="keep-a-copy", name=f"copy-{uuid4().hex}")
    async def keep(event: Event[Any]) -> None:
        seen[event.id] = event

    async with bus:
        data = [Draft(orjson.loads(example.content)) for example in found.examples(accepted=True)]
        receipts = await bus.publish_many(found.subject, data, version="1.0")
        await until(lambda: {receipt.id for receipt in receipts} <= set(seen))
    return receipts, [seen[receipt.id] for receipt in receipts]


@pytest.mark.parametrize(("subject", "count"), [(FILING, 16), (SIGNAL, 14), (CLOUD_EVENT, 6)])
async def test_every_accepted_example_arrives_unchanged(
    kafka: str, country: SmallCountry, tmp_path: Path, subject: str, count: int
) -> None:
    """Data and bytes are those of the file, through `orjson` once; the hash in the receipt says the same."""
    found = await registered(subject, kafka, country, tmp_path / "real")
    receipts, events = await carried(found)
    examples = found.examples(accepted=True)
    assert (len(examples), len(events)) == (count, count)
    for example, event in zip(examples, events, strict=True):
        assert event.data == example.data
        assert event.record.value == orjson.dumps(orjson.loads(example.content))
        assert event.version == "1.0"
    assert [(event.partition, event.offset) for event in events] == [
        (receipt.partition, receipt.offset) for receipt in receipts
    ]


@pytest.mark.parametrize(("subject", "count"), [(FILING, 5), (CLOUD_EVENT, 3)])
async def test_every_refused_example_stays_and_is_not_quoted(
    kafka: str, country: SmallCountry, tmp_path: Path, subject: str, count: int
) -> None:
    """The error lists what is wrong where, and holds no text of the data."""
    found = await registered(subject, kafka, country, tmp_path / "real")
    examples = found.examples(accepted=False)
    before = len(await found.world.records(f"{subject}.v1"))
    assert len(examples) == count
    async with found.bus() as bus:
        for example in examples:
            with pytest.raises(ContractViolationError) as caught:
                await bus.publish(subject, example.data, key="a-case", version="1.0")
            assert caught.value.violations
            schema = schema_text(found)
            told = str(caught.value)
            quoted = [text for text in texts(example.data) if text in told and text not in schema]
            assert quoted == []
    assert len(await found.world.records(f"{subject}.v1")) == before


def schema_text(found: Registered) -> str:
    """Return the contract's schemas as text: what they say may be said."""
    version = found.catalog.contract(found.subject).version()
    return orjson.dumps([dict(version.schema), *map(str, version.references), found.subject]).decode()


def texts(data: Any) -> Iterator[str]:
    """Yield every text of the data long enough to be somebody's."""
    if isinstance(data, dict):
        for value in data.values():
            yield from texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from texts(value)
    elif isinstance(data, str) and len(data) > 3:
        yield data


async def test_a_filing_without_its_key_is_refused(kafka: str, country: SmallCountry, tmp_path: Path) -> None:
    """A filing before there is a business breaks the contract or lacks its key; either way it stays."""
    found = await registered(FILING, kafka, country, tmp_path / "real")
    (unkeyed,) = [one for one in found.examples(accepted=False) if one.name.startswith("continuation")]
    async with found.bus() as bus:
        with pytest.raises((ContractViolationError, PartitionKeyError)):
            await bus.publish(FILING, unkeyed.data, version="1.0")


async def test_a_patients_number_never_leaves_the_data(
    kafka: str, country: SmallCountry, tmp_path: Path
) -> None:
    """England's CloudEvents name the patient in `subject` and `dataref`: only the value may."""
    found = await registered(CLOUD_EVENT, kafka, country, tmp_path / "real")
    receipts, events = await carried(found)
    numbers = {example.data["subject"].encode() for example in found.examples(accepted=True)}
    assert all(number.isdigit() and len(number) == 10 for number in numbers)
    for event in events:
        assert any(number in (event.record.value or b"") for number in numbers)
        assert event.subject is None
        assert [number for number in numbers if number in outside(event.record)] == []
    topic = receipts_topic(found.subject.partition(".")[0])
    written = [record.value or b"" for record in await found.world.records(topic)]
    ours = [value for value in written if any(receipt.id.encode() in value for receipt in receipts)]
    assert ours
    assert [number for number in numbers if any(number in value for value in ours)] == []


def outside(record: Record) -> bytes:
    """Return all of a record but its value."""
    pairs = [name.encode() + b"=" + (value or b"") for name, value in record.headers]
    return b"\n".join([record.key or b"", *pairs])
