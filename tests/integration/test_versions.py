"""Versions side by side: everyone publishes and reads the version they know, and each event comes once."""

from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import time_ns
from typing import Any

import orjson
import pytest

from bus import (
    Bus,
    ContractViolationError,
    Event,
    OlderVersionError,
    PublishReceipt,
    Record,
    TopicMissingError,
    VersionRetiredError,
)
from bus.dead_letters.record import PREFIX
from bus.grants.topics import expectations
from bus.publish import publisher
from bus.stages.pipeline import require_in_force
from bus.stages.stamp import Stamper
from bus.testing import InMemoryBus
from bus.topics import dead_letter_topic
from contracts import Catalog
from tests.growing_catalog import GrowingCountry
from tests.worlds import KafkaWorld, MemoryWorld, World, receipts, running, until


@pytest.fixture
def country(tmp_path: Path) -> GrowingCountry:
    """The country whose event has grown."""
    return GrowingCountry(tmp_path / "catalog")


def bus_of(world: World, agency: str, catalog: Catalog, system: str = "main") -> Bus:
    """Return a bus that knows another catalogue than the world's."""
    if isinstance(world, MemoryWorld):
        return InMemoryBus(agency, system=system, cluster=world.cluster, catalog=catalog)
    assert isinstance(world, KafkaWorld)
    return Bus(agency, system=system, settings=world.settings(), catalog=catalog)


def reader(bus: Bus, subject: str, version: int, name: str) -> list[Event[Any]]:
    """Subscribe and return the list that every event handled is added to."""
    seen: list[Event[Any]] = []

    purpose = "follow-moves" if version == 1 else "follow-later-moves"

    @bus.subscribe(subject, version=version, purpose=purpose, name=name)
    async def take(event: Event[Any]) -> None:
        seen.append(event)

    return seen


async def taken(world: World, group: str, topic: str, count: int) -> None:
    """Wait until a group is done with so many records of a topic."""

    async def done() -> bool:
        return await world.committed(group, topic) >= count

    await until(done)


async def test_each_reader_gets_each_event_once_in_the_version_it_knows(
    world: World, country: GrowingCountry
) -> None:
    """Publishers of 1.0, 1.1 and 2.0, readers of 1 and 2, and one whose catalogue knows 1.0 alone."""
    moved, south = country.moved, country.south
    old = bus_of(world, country.north, country.before, "old")
    new = world.bus(country.north)
    reading, behind = world.bus(south), bus_of(world, south, country.before)
    ones, twos = reader(reading, moved, 1, "one"), reader(reading, moved, 2, "two")
    late = reader(behind, moved, 1, "late")
    async with await running(old, new, reading, behind):
        await old.publish(moved, {"reference": "case-a", "number": 1}, version="1.0")
        await new.publish(moved, {"reference": "case-b", "number": 2, "note": "x"}, version="1.1")
        await new.publish(moved, {"reference": "case-c", "count": 3, "note": {"text": "y"}}, version="2.0")
        for name, topic, count in (("one", 1, 3), ("two", 1, 3), ("two", 2, 1), ("late", 1, 3)):
            await taken(world, f"{south}.{name}", f"{moved}.v{topic}", count)
    older = [
        {"reference": "case-a", "number": 1},
        {"reference": "case-b", "number": 2, "note": "x"},
        {"reference": "case-c", "number": 3, "note": "y"},
    ]
    newer = [
        {"reference": "case-a", "count": 1},
        {"reference": "case-b", "count": 2, "note": {"text": "x"}},
        {"reference": "case-c", "count": 3, "note": {"text": "y"}},
    ]
    assert by_case(ones, "data") == older
    assert by_case(ones, "written_version") == ["1.0", "1.1", "1.1"]
    assert by_case(twos, "data") == newer
    assert by_case(twos, "written_version") == ["1.0", "1.1", "2.0"]
    assert by_case(twos, "version") == ["2.0", "2.0", "2.0"]
    assert by_case(late, "data") == older
    assert by_case(late, "version") == ["1.0", "1.0", "1.0"]
    assert by_case(late, "written_version") == ["1.0", "1.1", "1.1"]


def by_case(events: list[Event[Any]], attribute: str) -> list[Any]:
    """Return an attribute of each event, by reference: topics have no order among themselves."""
    return [getattr(event, attribute) for event in sorted(events, key=lambda e: str(e.data["reference"]))]


async def test_an_event_is_published_in_both_versions_in_one_go(
    world: World, country: GrowingCountry
) -> None:
    """The older one has an id of its own, names its original, and belongs to the same transaction."""
    bus = world.bus(country.north)
    async with bus:
        receipt = await bus.publish(
            country.moved, {"reference": "case-a", "count": 1}, id="one", service="one-case", version="2.0"
        )
        again = await bus.publish_many(country.moved, [{"reference": "case-b", "count": 2}], version="2.0")
    (newer, _), (older, _) = [await world.records(f"{country.moved}.v{major}") for major in (2, 1)]
    assert receipt.topic == again[0].topic == f"{country.moved}.v2"
    first, second = dict(newer.headers), dict(older.headers)
    assert (first["ce_id"], second["ce_id"]) == (b"one", b"one.v1")
    assert "ce_derivedfrom" not in first
    assert second["ce_derivedfrom"] == b"one"
    assert (second["ce_dataschema"] or b"").endswith(b":1.1")
    for name in ("ce_source", "ce_time", "ce_service", "ce_correlationid", "ce_partitionkey"):
        assert first[name] == second[name]
    published = [row for row in await receipts(world) if isinstance(row, PublishReceipt)]
    assert sorted(row.version for row in published) == ["1.1", "1.1", "2.0", "2.0"]
    assert len({row.transaction for row in published}) == 2


async def test_what_an_older_version_cannot_say_is_refused_whole(
    world: World, country: GrowingCountry
) -> None:
    """Version 1 has no room for the note, so nothing is sent in version 2 either."""
    bus = world.bus(country.north)
    async with bus:
        with pytest.raises(OlderVersionError, match=r"down\.json") as caught:
            await bus.publish(
                country.moved,
                {"reference": "case-a", "count": 1, "note": {"text": "secret" * 12}},
                version="2.0",
            )
    assert "secret" not in str(caught.value)
    for major in (1, 2):
        assert await world.records(f"{country.moved}.v{major}") == []
    (refusal,) = await receipts(world)
    assert (refusal.outcome, refusal.reason) == ("refused", "untranslatable")


async def test_a_retired_version_is_published_no_more(tmp_path: Path) -> None:
    """After its sunset version 1 is refused, and version 2 is published alone."""
    country = GrowingCountry(tmp_path / "retired", sunset="2020-01-31")
    bus = InMemoryBus(country.north, catalog=country.catalog)
    async with bus:
        for version in ("1.0", "1.1"):
            with pytest.raises(VersionRetiredError, match=r"2020-01-31.*version 2\.0"):
                await bus.publish(country.moved, {"reference": "case-a", "number": 1}, version=version)
        await bus.publish(country.moved, {"reference": "case-a", "count": 1}, version="2.0")
    assert bus.cluster.records(f"{country.moved}.v1") == []
    assert len(bus.cluster.records(f"{country.moved}.v2")) == 1
    refused = [row for row in bus.cluster.receipts() if row.outcome == "refused"]
    assert [row.reason for row in refused] == ["version-retired"] * 2


def test_a_version_is_published_until_the_end_of_its_last_day(tmp_path: Path) -> None:
    """The sunset is a day in UTC, and counts whole."""
    country = GrowingCountry(tmp_path / "catalog", sunset="2026-06-30")
    version = country.catalog.contract(country.moved).version(1)
    stamper = Stamper(version, country.north, "main", version.type)
    for moment in (datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)):
        now_us = int(moment.timestamp()) * 1_000_000
        with pytest.raises(VersionRetiredError) if moment.day == 1 else nullcontext():
            require_in_force(stamper, now_us)


@pytest.mark.parametrize("years", [-20, 20])
async def test_a_version_retires_by_the_clock_of_the_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, years: int
) -> None:
    """That of the publisher's machine may be wrong by years, either way."""
    off_us = years * 365 * 86_400 * 1_000_000
    sunset = datetime.now(UTC).date() + timedelta(days=1 if years > 0 else -1)
    country = GrowingCountry(tmp_path / "catalog", sunset=str(sunset))
    bus = InMemoryBus(country.north, catalog=country.catalog)
    async with bus:
        bus.transport.clock.skew_us = -off_us
        monkeypatch.setattr(publisher, "time_ns", lambda: time_ns() + off_us * 1000)
        with pytest.raises(VersionRetiredError) if years < 0 else nullcontext():
            await bus.publish(country.moved, {"reference": "case-a", "number": 1}, version="1.0")
        await bus.publish(country.moved, {"reference": "case-a", "count": 1}, version="2.0")
    assert len(bus.cluster.records(f"{country.moved}.v1")) == (2 if years > 0 else 0)


@pytest.mark.parametrize("today", [date(2020, 2, 7), date(2020, 2, 8)])
def test_the_topic_of_a_retired_version_is_read_until_its_events_expire(tmp_path: Path, today: date) -> None:
    """Version 1 ended on 31 January; its topic keeps events for a week."""
    country = GrowingCountry(tmp_path / "retired", sunset="2020-01-31")
    topics = list(expectations(country.catalog, country.moved, 2, today))
    older = [f"{country.moved}.v1"] if today == date(2020, 2, 7) else []
    assert topics == [f"{country.moved}.v2", *older]


async def test_data_that_cannot_be_upcast_is_set_aside_without_a_word_of_it(
    world: World, country: GrowingCountry
) -> None:
    """The dead letter names contract, versions and document; the reader of version 1 is served."""
    publisher, reading = world.bus(country.north), world.bus(country.south)
    ones, twos = reader(reading, country.moved, 1, "one"), reader(reading, country.moved, 2, "two")
    async with await running(publisher, reading):
        await publisher.publish(country.moved, {"reference": "case-a", "number": 777}, version="1.0")
        await publisher.publish(country.moved, {"reference": "case-b", "number": 1}, version="1.0")
        for name in ("one", "two"):
            await taken(world, f"{country.south}.{name}", f"{country.moved}.v1", 2)
    assert by_case(ones, "data") == [
        {"reference": "case-a", "number": 777},
        {"reference": "case-b", "number": 1},
    ]
    assert [event.data for event in twos] == [{"reference": "case-b", "count": 1}]
    (letter,) = await world.records(dead_letter_topic(country.south))
    said = explanation(letter)
    assert said["reason"] == "untranslatable"
    assert said["stage"] == "convert"
    for word in (country.moved, "1.1", "2.0", "up.json", "$.count"):
        assert word in said["detail"]
    assert "777" not in said["detail"]
    assert letter.value == b'{"reference":"case-a","number":777}'


def explanation(letter: Record) -> dict[str, str]:
    """Return what the bus says on a dead letter."""
    return {name.removeprefix(PREFIX): (value or b"").decode() for name, value in letter.headers}


async def test_a_newer_minor_version_that_cannot_be_read_says_what_to_do(
    world: World, country: GrowingCountry
) -> None:
    """Of version 1.7 nobody here has heard: what 1.1 can read is handled, the rest set aside."""
    reading = world.bus(country.south)
    seen = reader(reading, country.moved, 1, "one")
    topic = f"{country.moved}.v1"
    headers = [
        ("ce_specversion", b"1.0"), ("ce_source", b"elsewhere"), ("ce_type", topic.encode()),
        ("ce_dataschema", f"urn:govbus:contract:{country.moved}:1.7".encode()),
    ]  # fmt: skip
    async with await running(reading):
        bad, good = b'{"reference":"case-a","number":"many"}', b'{"reference":"b","number":2,"extra":[1]}'
        await world.append(topic, bad, headers=[*headers, ("ce_id", b"1")])
        await world.append(topic, good, headers=[*headers, ("ce_id", b"2")])
        await taken(world, f"{country.south}.one", topic, 2)
    assert [(event.version, event.written_version) for event in seen] == [("1.1", "1.7")]
    (letter,) = await world.records(dead_letter_topic(country.south))
    said = explanation(letter)
    assert said["reason"] == "unknown-version"
    assert "Update the catalogue" in said["detail"]
    assert "many" not in said["detail"]


async def test_writers_keep_to_what_is_declared_and_readers_ignore_the_rest(
    world: World, country: GrowingCountry
) -> None:
    """The schemas say nothing of undeclared properties; the content model does."""
    bus, reading = world.bus(country.north), world.bus(country.south)
    seen = reader(reading, country.moved, 1, "one")
    data = {"reference": "case-a", "number": 1, "whim": True}
    topic = f"{country.moved}.v1"
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"x"), ("ce_type", topic.encode())]
    async with await running(bus, reading):
        with pytest.raises(ContractViolationError):
            await bus.publish(country.moved, data, version="1.0")
        await world.append(topic, orjson.dumps(data), headers=headers)
        await taken(world, f"{country.south}.one", topic, 1)
    assert [event.data for event in seen] == [data]


async def test_what_reached_one_version_only_is_published_again_in_both(country: GrowingCountry) -> None:
    """After an error, repeating with the same id brings the version that was missing."""
    world = MemoryWorld(country)
    older, data = f"{country.moved}.v1", {"reference": "case-a", "count": 1}
    async with world.bus(country.north) as bus:
        world.cluster.delete_topic(older)
        with pytest.raises(TopicMissingError):
            await bus.publish(country.moved, data, id="m-1", version="2.0")
        world.cluster.create_topic(older, 3)
        again = await bus.publish(country.moved, data, id="m-1", version="2.0")
        assert await bus.publish(country.moved, data, id="m-1", version="2.0") == again
    (record,) = await world.records(older)
    assert dict(record.headers)["ce_derivedfrom"] == b"m-1"
