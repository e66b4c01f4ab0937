"""Who may read what, and for which purpose, is the catalogue's to say: at the start and later on."""

import asyncio
import logging
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, BaseModel, Field

from bus import Bus, Event, NotGrantedError, Settings, UsageError
from bus.cluster.desired import desired_state
from bus.grants import watch
from bus.testing import InMemoryBus, InMemoryCluster, patched
from contracts import Access, Catalog
from tests.growing_catalog import GrowingCountry
from tests.small_catalog import SmallCountry, case
from tests.worlds import until

TODAY = date(2026, 12, 1)


@pytest.fixture
def country(tmp_path: Path) -> SmallCountry:
    """A country without grants."""
    found = SmallCountry(tmp_path)
    found.withdraw()
    return found


def subscribed(
    country: SmallCountry,
    agency: str,
    subject: str,
    handler: Callable[..., Any] | None = None,
    purpose: str = "close-cases",
    **settings: Any,
) -> Bus:
    """Return a bus in memory that would read an event."""
    country.catalog = Catalog.open(country.folder)
    cluster = InMemoryCluster(country.catalog)
    bus = InMemoryBus(agency, cluster=cluster, settings=Settings(**settings))
    bus.subscribe(subject, version=1, purpose=purpose)(handler or ignore)
    return bus


async def ignore(event: Event[Any]) -> None:
    """Take an event."""


async def refusal(bus: Bus) -> str:
    """Return why a bus does not start."""
    with pytest.raises(NotGrantedError) as refused:
        await bus.start()
    assert not bus.serving
    return str(refused.value)


async def test_what_nobody_granted_is_not_read(country: SmallCountry) -> None:
    """The error has agency, event and purpose, whom to ask, and the command that writes the document."""
    told = await refusal(subscribed(country, country.south, country.opened))
    assert told.startswith("Expected a grant of the catalogue, got none")
    assert f"`{country.south}` reads `{country.opened}` version 1 for `close-cases`" in told
    assert "An office (office@example.org)" in told
    wanted = f"--event {country.opened} --agency {country.south}`"
    assert f"`govbus new subscription close-cases {wanted}" in told
    assert "GOVBUS_GRANTS=off" in told


async def test_a_program_in_a_test_needs_the_grant_too(country: SmallCountry) -> None:
    """So that it is missed before the program is at its cluster."""
    bus = subscribed(country, country.south, country.opened)
    with pytest.raises(NotGrantedError):
        async with patched(bus):
            pass


async def test_an_agency_needs_a_grant_for_its_own_events(country: SmallCountry) -> None:
    """As for the cluster's access rights."""
    await refusal(subscribed(country, country.north, country.opened))
    country.grant(country.north, country.opened, "close-cases")
    async with subscribed(country, country.north, country.opened) as bus:
        assert bus.serving


async def test_a_purpose_that_is_not_granted_is_told_those_that_are(country: SmallCountry) -> None:
    """One that may be a slip, too."""
    country.grant(country.south, country.opened, "close-cases")
    country.grant(country.south, country.opened, "count-cases")
    told = await refusal(subscribed(country, country.south, country.opened, purpose="closecases"))
    assert "Expected a purpose that is granted, `close-cases` or `count-cases`, got another" in told
    async with subscribed(country, country.south, country.opened, purpose="count-cases") as bus:
        assert bus.serving


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"approved_by": "", "approved_on": None}, "got one that nobody has approved"),
        ({"approved_on": "2999-01-01"}, "got one that is approved from 2999-01-01 on"),
        ({"expires": "2026-01-02"}, "got one that ended on 2026-01-02"),
        ({"version": 2}, "got one for version 2"),
    ],
)
async def test_a_grant_that_does_not_hold_is_told_as_that(
    country: SmallCountry, said: dict[str, Any], told: str
) -> None:
    """The cluster gives no access by it either."""
    country.grant(country.south, country.opened, "close-cases", **said)
    assert told in await refusal(subscribed(country, country.south, country.opened))
    read = Access(f"User:{country.south}", "topic", country.topic, prefixed=False, operation="read")
    assert read not in (desired_state(country.catalog, TODAY).access or ())


@pytest.mark.parametrize("days", [-1, 0, 1])
async def test_program_and_cluster_judge_a_grant_alike(country: SmallCountry, days: int) -> None:
    """Up to its last day."""
    today = InMemoryBus(country.south, catalog=country.catalog)._today()
    ends = today + timedelta(days=days)
    country.grant(country.south, country.opened, "close-cases", expires=str(ends))
    bus = subscribed(country, country.south, country.opened)
    read = Access(f"User:{country.south}", "topic", country.topic, prefixed=False, operation="read")
    assert (read in (desired_state(country.catalog, today).access or ())) == (not bus._not_granted())


def test_a_program_without_a_grant_ends_with_a_code_of_its_own(
    country: SmallCountry, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever restarts it can tell that nothing will change by that."""
    with pytest.raises(SystemExit) as ended:
        asyncio.run(subscribed(country, country.south, country.opened).run())
    assert ended.value.code == 78
    (told,) = [record.message for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "Expected a grant of the catalogue" in told


async def test_who_plays_says_so(country: SmallCountry, caplog: pytest.LogCaptureFixture) -> None:
    """The log tells it at each start."""
    async with subscribed(country, country.south, country.opened, grants="off") as bus:
        assert bus.serving
    assert "GOVBUS_GRANTS is off" in caplog.text


@pytest.mark.parametrize(
    "guarded",
    [
        {"security_protocol": "SASL_SSL"},
        {"security_protocol": "SASL_PLAINTEXT"},
        {"security_protocol": "SSL"},
        {"registry_public_key": "key"},
    ],
)
async def test_nobody_plays_where_somebody_asks_who_he_is(
    country: SmallCountry, guarded: dict[str, Any], tmp_path: Path
) -> None:
    """Nor beside a registry that somebody signs, though this process does not follow it."""
    bus = subscribed(country, country.south, country.opened, grants="off", registry="off", **guarded)
    with pytest.raises(UsageError, match="at setting `grants`"):
        await bus.start()


# What is seen


async def seen(country: SmallCountry, *data: dict[str, Any], handler: Any = None) -> list[Any]:
    """Return the data that a handler of the south sees of some opened cases."""
    found: list[Any] = []

    async def keep(event: Event[Any]) -> None:
        found.append(event.data)

    bus = subscribed(country, country.south, country.opened, handler(found) if handler else keep)
    assert isinstance(bus, InMemoryBus)
    async with bus, InMemoryBus(country.north, cluster=bus.cluster) as north:
        for one in data:
            await north.publish(country.opened, one, version="1.1")
        await until(lambda: len(found) == len(data))
    return found


async def test_a_handler_sees_the_granted_fields_alone(country: SmallCountry) -> None:
    """Not the names of others either; of two grants for one purpose, the fields of both."""
    country.grant(country.south, country.opened, "close-cases", fields=["$.reference", "$.note"])
    cases = [case(7, padding="Ada Lovelace", note="mine"), case(8, reference="case-0002")]
    assert await seen(country, *cases) == [
        {"reference": "case-0001", "note": "mine"},
        {"reference": "case-0002"},
    ]
    more = country.grant(country.south, country.opened, "close-cases", name="more", fields=["$.number"])
    assert await seen(country, cases[1]) == [{"reference": "case-0002", "number": 8}]
    more.unlink()
    country.grant(country.south, country.opened, "count-cases", fields=["$"])
    assert await seen(country, cases[1]) == [{"reference": "case-0002"}]


class Narrow(BaseModel):
    """What is granted, and what may be absent."""

    reference: str
    number: int | None = None


class Wide(BaseModel):
    """More than is granted."""

    reference: str
    number: int


class Renamed(BaseModel):
    """What is granted, under another name."""

    case: Annotated[str, Field(validation_alias=AliasChoices("number", "reference"))]


async def test_a_model_of_granted_fields_is_filled(country: SmallCountry) -> None:
    """What is not granted is absent."""
    country.grant(country.south, country.opened, "close-cases", fields=["$.reference"])

    def taking(model: type[BaseModel]) -> Callable[[list[Any]], Any]:
        def handler(found: list[Any]) -> Any:
            async def keep(data: Any) -> None:
                found.append(data)

            keep.__annotations__["data"] = model
            return keep

        return handler

    assert await seen(country, case(), handler=taking(Narrow)) == [Narrow(reference="case-0001")]
    (renamed,) = await seen(country, case(), handler=taking(Renamed))
    assert renamed.case == "case-0001"


async def test_a_model_that_needs_more_is_refused_with_the_fields_name(country: SmallCountry) -> None:
    """At the start: it would take no event at all."""
    country.grant(country.south, country.opened, "close-cases", fields=["$.reference"])

    async def by_model(data: Wide) -> None:
        """Take the data."""

    async def by_event(event: Event[Wide]) -> None:
        """Take the event."""

    for handler in (by_model, by_event):
        told = await refusal(subscribed(country, country.south, country.opened, handler))
        assert "got one that needs `$.number` too" in told
        assert handler.__name__ in told
        assert "(reference" not in told
    async with subscribed(country, country.south, country.opened, by_model, grants="off") as bus:
        assert bus.serving


async def test_what_is_upcast_is_cut_in_the_version_of_the_grant(tmp_path: Path) -> None:
    """An event of version 1 shows the fields of version 2 that are granted."""
    country = GrowingCountry(tmp_path)
    country.grant(
        country.south, country.moved, "follow-later-moves", version=2, fields=["$.count", "$.note.text"]
    )
    found: list[Any] = []
    cluster = InMemoryCluster(catalog := Catalog.open(country.folder))
    north, south = [InMemoryBus(agency, cluster=cluster) for agency in (country.north, country.south)]

    @south.subscribe(country.moved, version=2, purpose="follow-later-moves")
    async def keep(event: Event[Any]) -> None:
        found.append((event.written_version, event.data))

    async with north, south:
        old = {"reference": "case-0001", "number": 3, "note": "mine"}
        await north.publish(country.moved, old, version="1.1")
        new = {"reference": "case-0002", "count": 4}
        await north.publish(country.moved, new, version="2.0")
        await until(lambda: len(found) == 2)
    assert sorted(found) == [("1.1", {"count": 3, "note": {"text": "mine"}}), ("2.0", {"count": 4})]
    del catalog


def _has(found: list[Any], count: int) -> bool:
    return len(found) == count


# Later on


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for a missing grant a second time at once."""
    monkeypatch.setattr(watch, "SETTLE_SECONDS", 0.01)


async def test_a_subscription_whose_grant_is_revoked_ends(country: SmallCountry, at_once: None) -> None:
    """Nothing more is begun; whoever waits for the bus is told which grant, and how to get another."""
    file = country.grant(country.south, country.opened, "close-cases")
    handled: list[int] = []

    async def keep(event: Event[Any]) -> None:
        handled.append(event.data["number"])

    bus = subscribed(country, country.south, country.opened, keep)
    assert isinstance(bus, InMemoryBus)
    async with bus, InMemoryBus(country.north, cluster=bus.cluster) as north:
        await north.publish(country.opened, case(1), version="1.0")
        await until(lambda: handled == [1])
        file.unlink()
        bus.adopt(Catalog.open(country.folder))
        with pytest.raises(NotGrantedError, match="Expected a grant of the catalogue, got none"):
            await bus.wait()
        await north.publish(country.opened, case(2), version="1.0")
        assert not bus.serving
        assert "reads no more" in (await bus._kafka_fault() or "")
    assert handled == [1]


async def test_a_grant_that_ends_by_the_day_is_noticed(
    country: SmallCountry, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nobody applies anything."""
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.02)
    country.grant(country.south, country.opened, "close-cases", expires="2026-12-31")
    bus = subscribed(country, country.south, country.opened)
    days = [date(2026, 12, 31)]
    monkeypatch.setattr(bus, "_today", lambda: days[-1])
    async with bus:
        days.append(date(2027, 1, 1))
        with pytest.raises(NotGrantedError, match="ended on 2026-12-31"):
            await bus.wait()


async def test_a_grant_that_moves_ends_nothing(
    country: SmallCountry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its document is withdrawn and added in two entries of the registry, one after the other."""
    monkeypatch.setattr(watch, "SETTLE_SECONDS", 0.2)
    country.grant(country.south, country.opened, "close-cases")
    bus = subscribed(country, country.south, country.opened)
    whole = country.catalog
    country.withdraw()
    async with bus:
        bus.adopt(country.catalog)
        await asyncio.sleep(0)
        bus.adopt(whole)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bus.wait(), 0.5)
        assert bus.serving


async def test_fields_that_are_granted_no_more_are_seen_no_more(country: SmallCountry) -> None:
    """From the next event on; and those that are added, likewise."""
    country.grant(country.south, country.opened, "close-cases", fields=["$.reference", "$.number"])
    found: list[Any] = []

    async def keep(event: Event[Any]) -> None:
        found.append(event.data)

    bus = subscribed(country, country.south, country.opened, keep)
    assert isinstance(bus, InMemoryBus)
    async with bus, InMemoryBus(country.north, cluster=bus.cluster) as north:
        for count, fields in enumerate((["$.reference"], ["$"]), 1):
            await north.publish(country.opened, case(), version="1.0")
            await until(partial(_has, found, count))
            country.grant(country.south, country.opened, "close-cases", fields=fields)
            bus.adopt(Catalog.open(country.folder))
        await north.publish(country.opened, case(), version="1.0")
        await until(lambda: len(found) == 3)
    assert found == [{"reference": "case-0001", "number": 1}, {"reference": "case-0001"}, case()]
