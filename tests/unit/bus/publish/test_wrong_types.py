"""An argument of another type is told by its name, wherever an event is published; nothing is sent."""

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from bus import BusError, DeliveryReceipt, Draft, Event
from bus.testing import InMemoryBus, InMemoryCluster
from tests.small_catalog import SmallCountry, case
from tests.worlds import until

FAR_EAST = timezone(timedelta(hours=5))
NAIVE = datetime.fromisoformat("2026-01-31T09:30:00")

WRONG: list[tuple[str, Any]] = [
    ("subject", None), ("subject", b"x"), ("subject", ["x"]), ("version", ["1.0"]), ("version", {}),
    ("version", 2), ("system", 7), ("system", b"main"), ("system", ["main"]), ("system", ""), ("system", 0),
    ("time", "2026-01-31"), ("time", date(2026, 1, 31)), ("time", 5), ("time", NAIVE),
    ("time", datetime.min.replace(tzinfo=FAR_EAST)), ("id", ""), ("id", 0), ("id", []), ("id", 7),
    ("service", ""), ("service", 7), ("transaction", ""), ("transaction", 0), ("key", 7), ("key", ""),
    ("ce_subject", 7),
]  # fmt: skip
NAMES = {"key": "partitionkey", "transaction": "correlationid", "ce_subject": "subject"}


@pytest.fixture
def country(tmp_path: Path) -> SmallCountry:
    """A small country."""
    return SmallCountry(tmp_path / "catalog")


@pytest.mark.parametrize(("name", "value"), WRONG)
async def test_an_argument_of_another_type_is_told_by_its_name(
    country: SmallCountry, name: str, value: Any
) -> None:
    """Nothing takes its place by chance: an empty id is not made a new one with each repeat."""
    called: dict[str, Any] = {"subject": country.opened, "data": case(), "version": "1.0", name: value}
    async with InMemoryBus(country.north, cluster=InMemoryCluster(country.catalog)) as bus:
        with pytest.raises(BusError, match=f"Expected .*`{NAMES.get(name, name)}`"):
            await bus.publish(**called)
        draft = Draft(case(), **{name: value}) if name in Draft._fields else case()
        rest = {each: called[each] for each in ("version", "system") if each in called}
        with pytest.raises(BusError, match=f"`{NAMES.get(name, name)}`"):
            await bus.publish_many(called["subject"], [draft], **rest)
    assert bus.cluster.records(f"{country.opened}.v1") == []


@pytest.mark.parametrize("cause", ["an-id", 7, (), {}])
async def test_a_cause_that_is_no_event_is_told(country: SmallCountry, cause: Any) -> None:
    """Such as the id of the event."""
    async with InMemoryBus(country.north, cluster=InMemoryCluster(country.catalog)) as bus:
        with pytest.raises(BusError, match="`cause`"):
            await bus.publish(country.opened, case(), version="1.0", cause=cause)


@pytest.mark.parametrize(("name", "value"), [row for row in WRONG if row[0] != "subject"])
async def test_a_handler_that_passes_another_type_has_a_dead_letter(
    country: SmallCountry, name: str, value: Any
) -> None:
    """At once, which names the argument: it would fail again at every attempt."""
    cluster = InMemoryCluster(country.catalog)
    north, south = [InMemoryBus(agency, cluster=cluster) for agency in (country.north, country.south)]

    @south.subscribe(country.opened, version=1, purpose="close-cases")
    async def handler(event: Event[Any]) -> None:
        called: dict[str, Any] = {"version": "1.0", name: value}
        await event.publish(country.closed, case(), **called)

    async with north, south:
        await north.publish(country.opened, case(), version="1.0")
        await until(lambda: any(isinstance(row, DeliveryReceipt) for row in cluster.receipts()))
    (letter,) = cluster.records(f"{country.south}.dead-letters")
    assert f"`{NAMES.get(name, name)}`".encode() in (dict(letter.headers)["govbus-dead-letter-detail"] or b"")
    assert cluster.records(f"{country.closed}.v1") == []
