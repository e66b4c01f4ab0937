"""The version that a program publishes is part of its code: nothing that happens to a cluster changes it."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from bus import Draft, EnvelopeError, Event, Intended, Outbox, PublishManyError, Reason, UsageError
from bus.testing import InMemoryBus, InMemoryCluster, _MemoryTransport
from bus.transport import Outgoing
from contracts import UnknownVersionError
from tests.growing_catalog import GrowingCountry
from tests.small_catalog import SmallCountry, case
from tests.worlds import until


@pytest.fixture
def country(tmp_path: Path) -> GrowingCountry:
    """The country whose event grows while programs run."""
    return GrowingCountry(tmp_path / "catalog")


MOVED = {"reference": "case-0001", "number": 1}


async def test_a_running_publisher_goes_on_as_newer_versions_come(country: GrowingCountry) -> None:
    """1.1 and 2.0 are adopted while it runs; what it publishes is 1.0 as before."""
    cluster = InMemoryCluster(country.catalog)
    async with InMemoryBus(country.north, cluster=cluster, catalog=country.before) as bus:
        await bus.publish(country.moved, MOVED, version="1.0")
        bus.adopt(country.catalog)
        await bus.publish(country.moved, MOVED, version="1.0")
        await bus.publish_many(country.moved, [MOVED], version="1.0")
        await bus.submit(country.moved, MOVED, version="1.0")
        async with bus.transaction() as transaction:
            await transaction.publish(country.moved, MOVED, version="1.0")
    records = cluster.records(f"{country.moved}.v1")
    schemas = [dict(record.headers)["ce_dataschema"] or b"" for record in records]
    assert [schema.rpartition(b":")[2] for schema in schemas] == [b"1.0"] * 5


async def test_a_publish_ends_though_its_versions_are_acknowledged_one_after_the_other(
    country: GrowingCountry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipt of each version is sent by itself: nothing else happens on this bus that would send it."""
    land = _MemoryTransport._land

    def later(transport: _MemoryTransport, outgoing: Outgoing) -> None:
        wait = 0.05 if outgoing.topic == f"{country.moved}.v1" else 0.0
        asyncio.get_running_loop().call_later(wait, land, transport, outgoing)

    monkeypatch.setattr(_MemoryTransport, "_land", later)
    async with InMemoryBus(country.north, cluster=InMemoryCluster(country.catalog)) as bus:
        data = {"reference": "case-0001", "count": 1}
        receipt = await bus.publish(country.moved, data, version="2.0")
    assert receipt.topic == f"{country.moved}.v2"


async def test_a_handler_goes_on_as_newer_versions_come(country: GrowingCountry) -> None:
    """Its event is no dead letter, and what it publishes is of the version that it names."""
    cluster = InMemoryCluster(country.catalog)
    south = InMemoryBus(country.south, cluster=cluster)
    north = InMemoryBus(country.north, cluster=cluster, catalog=country.before)

    @north.subscribe(country.closed, version=1, purpose="tell-the-citizen")
    async def move(event: Event[Any]) -> None:
        await event.publish(country.moved, event.data, version="1.0")

    async with south, north:
        await south.publish(country.closed, case(1), version="1.0")
        await until(lambda: len(cluster.records(f"{country.moved}.v1")) == 1)
        north.adopt(country.catalog)
        await south.publish(country.closed, case(2), version="1.0")
        await until(lambda: len(cluster.records(f"{country.moved}.v1")) == 2)
    assert cluster.records(f"{country.north}.dead-letters") == []


@pytest.mark.parametrize("version", [1, "1", 1.0, "v1.0", "1.0.0", "latest", "", "-1.0", "1.x", None])
async def test_a_version_that_is_not_exact_is_refused(country: GrowingCountry, version: Any) -> None:
    """The error says what was expected, and which versions there are."""
    async with InMemoryBus(country.north, catalog=country.catalog) as bus:
        with pytest.raises(UsageError, match=r"such as `1\.0`.*1\.0, 1\.1, 2\.0"):
            bus.submit(country.moved, MOVED, version=version)


async def test_a_version_that_the_catalogue_lacks_is_refused(country: GrowingCountry) -> None:
    """The error names those it has."""
    async with InMemoryBus(country.north, catalog=country.catalog) as bus:
        with pytest.raises(UnknownVersionError, match=r"1\.0, 1\.1, 2\.0"):
            await bus.publish(country.moved, MOVED, version="1.7")


async def test_a_version_must_be_named(country: GrowingCountry) -> None:
    """No way of publishing has a default that a newer catalogue could change."""
    outbox = Outbox(country.north, catalog=country.catalog)
    async with InMemoryBus(country.north, catalog=country.catalog) as bus, bus.transaction() as transaction:
        for publish in (bus.publish, transaction.publish, bus.publish_many, transaction.publish_many):
            with pytest.raises(TypeError, match="version"):
                await publish(country.moved, MOVED)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="version"):
            bus.submit(country.moved, MOVED)  # type: ignore[call-arg]
    with create_engine("sqlite://").begin() as connection:
        with pytest.raises(TypeError, match="version"):
            outbox.add(connection, country.moved, MOVED)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="version"):
            outbox.add_many(connection, country.moved, [MOVED])  # type: ignore[call-arg]


async def test_an_unknown_option_is_named_beside_those_there_are(country: GrowingCountry) -> None:
    """Wherever an event is published, and before anything is sent."""
    outbox = Outbox(country.north, catalog=country.catalog)
    wrong = r"`version`, `key`.*`ce_subject`, got another"
    async with InMemoryBus(country.north, catalog=country.catalog) as bus, bus.transaction() as transaction:
        for publish in (bus.publish, transaction.publish):
            with pytest.raises(TypeError, match=wrong):
                await publish(country.moved, MOVED, version="1.0", foo=1)  # type: ignore[call-arg]
    with create_engine("sqlite://").begin() as connection, pytest.raises(TypeError, match=wrong):
        outbox.add(connection, country.moved, MOVED, version="1.0", foo=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("written", ["01.0", "1.00", " 1.0", "1.0\n", "\uff11.0", "v1.0", "1.0.", "\u0661.0"])
async def test_a_version_has_one_form(country: GrowingCountry, written: str) -> None:
    """The message names the one that is meant; a refused form never becomes part of an address."""
    async with InMemoryBus(country.north, cluster=InMemoryCluster(country.catalog)) as bus:
        with pytest.raises(UsageError, match=r"did you mean `1\.0`\?"):
            await bus.publish(country.moved, MOVED, version=written)
    outbox = Outbox(country.north, catalog=country.catalog)
    with create_engine("sqlite://").begin() as connection, pytest.raises(UsageError, match=r"mean `1\.0`\?"):
        outbox.add(connection, country.moved, MOVED, version=written)


@pytest.mark.parametrize("written", ["0.0", "1", "", "1.0.0", "2.x", "9.00", 1.0, None])
async def test_what_names_no_version_is_told_the_known_ones(country: GrowingCountry, written: Any) -> None:
    """Nothing is guessed."""
    async with InMemoryBus(country.north, cluster=InMemoryCluster(country.catalog)) as bus:
        with pytest.raises(UsageError, match=r"has 1\.0, ") as caught:
            await bus.publish(country.moved, MOVED, version=written)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("written", [True, 1.0, "1", "1.0", None])
def test_a_subscription_names_a_major_version_as_a_number(country: GrowingCountry, written: Any) -> None:
    """`True` and 1.0 equal 1, and would read a topic that nobody has; None read the latest."""
    bus = InMemoryBus(country.north, cluster=InMemoryCluster(country.catalog))
    with pytest.raises(UsageError, match="whole number"):
        bus.subscribe(country.moved, version=written, purpose="close-cases")


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (
            "one-caes",
            "got another; did you mean `one-case`? - at `service`. `govbus contracts list` shows all",
        ),
        ("marriage", "got another - at `service`. `govbus contracts list` shows all"),
        ("", "got another - at `service`"),
    ],
)
async def test_a_service_that_the_catalogue_lacks_is_refused(tmp_path: Path, service: str, said: str) -> None:
    """In every way to publish, since nobody would follow its transaction; the nearest is named."""
    country = SmallCountry(tmp_path / "small")
    draft = Draft(case(), service=service)
    async with InMemoryBus(country.north, cluster=InMemoryCluster(country.catalog)) as bus:
        with pytest.raises(EnvelopeError) as caught:
            await bus.publish(country.opened, case(), version="1.0", service=service)
        assert said in str(caught.value)
        assert not service or service not in str(caught.value)
        with pytest.raises(PublishManyError, match="service of the catalogue"):
            await bus.publish_many(country.opened, [case(), draft], version="1.0")
        with pytest.raises(EnvelopeError):
            bus.submit(country.opened, draft, version="1.0")
        with pytest.raises(EnvelopeError):
            async with bus.transaction() as transaction:
                await transaction.publish(country.opened, case(), version="1.0", service=service)
        intended = Intended(f"{country.opened}.v1", service)
        with pytest.raises(EnvelopeError):
            await bus.dead_letter(b"", reason=Reason.MALFORMED_RECORD, stage="read", intended=intended)
        assert not bus.cluster.records(f"{country.north}.dead-letters")
        await bus.publish(country.opened, case(), version="1.0", service="one-case")
    assert len(bus.cluster.records(f"{country.opened}.v1")) == 1
    outbox = Outbox(country.north, catalog=country.catalog)
    with create_engine("sqlite://").begin() as connection, pytest.raises(EnvelopeError):
        outbox.add(connection, country.opened, case(), version="1.0", service=service)


async def test_a_catalogue_without_services_has_none_to_begin(tmp_path: Path) -> None:
    """The command that makes one is told."""
    country = SmallCountry(tmp_path / "small")
    catalog = replace(country.catalog, services={})
    async with InMemoryBus(country.north, cluster=InMemoryCluster(catalog)) as bus:
        with pytest.raises(EnvelopeError, match="`govbus new service NAME` makes one"):
            await bus.publish(country.opened, case(), version="1.0", service="one-case")
