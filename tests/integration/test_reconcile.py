"""`govbus reconcile` on a real cluster, where markers and aborted records take offsets too."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from bus import Event
from bus.reconcile import cli
from tests.deliveries import envelope_of
from tests.integration.test_bus_hostile import append_with_odd_name
from tests.small_catalog import SmallCountry, case
from tests.worlds import KafkaWorld, until

Reconcile = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def reconcile(
    kafka_world: KafkaWorld,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Reconcile:
    """The command as an operator runs it, for today; its exit code, and what it says."""
    monkeypatch.setenv("GOVBUS_CATALOG", str(tmp_path / "catalog"))

    async def command(*arguments: str, servers: str = kafka_world.bootstrap_servers) -> tuple[int, str]:
        monkeypatch.setenv("GOVBUS_BOOTSTRAP_SERVERS", servers)
        monkeypatch.setenv("GOVBUS_PUBLISH_TIMEOUT_SECONDS", "30" if servers != NOWHERE else "1")
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        line = [*arguments, "--day", day, "--settled", "0"]
        code = await asyncio.to_thread(cli.reconcile.main, line, standalone_mode=False)
        return code, capsys.readouterr().out

    return command


NOWHERE = "127.0.0.1:1"


async def test_offsets_receipts_and_deliveries_are_compared(
    kafka_world: KafkaWorld, country: SmallCountry, reconcile: Reconcile
) -> None:
    """All even: 0. An event of a foreign producer: 1, with its place. No cluster, or no such event: 2."""
    world, seen = kafka_world, list[str]()
    south = world.bus(country.south)

    @south.subscribe(country.opened, version=1, purpose="close-cases", name="close-cases")
    async def close(event: Event[Any]) -> None:
        seen.append(event.id)

    async with world.bus(country.north) as north, south:
        await north.publish_many(country.opened, [case(number) for number in range(5)], version="1.0")
        async with north.transaction("kept") as kept:
            await kept.publish(country.opened, case(5), version="1.0")
        try:
            async with north.transaction("dropped") as dropped:
                await dropped.publish(country.opened, case(6), version="1.0")
                raise LookupError
        except LookupError:
            pass
        await until(lambda: len(seen) == 6)
    code, said = await reconcile(country.opened, "--json")
    found = orjson.loads(said)
    assert (code, found["adds_up"], found["differences"]) == (0, True, [])
    (topic,) = found["topics"]
    assert (topic["events"], topic["receipts"]) == (6, 6)
    assert topic["others"] >= 3  # one aborted record, and the markers of two transactions
    (reader,) = found["subscribers"]
    assert (reader["subscription"], reader["handled"]) == (f"{country.south}/close-cases", 6)

    await world.append(country.topic, b"{}", key=b"k")
    code, said = await reconcile(country.topic)
    assert (code, "1 differences" in said) == (1, True)
    assert f"difference: {country.topic} at {country.topic}/" in said
    assert (await reconcile(country.topic, "--agency", country.south))[0] == 0
    assert (await reconcile(f"{country.north}.nothing"))[0] == 2
    assert (await reconcile(country.opened, servers=NOWHERE))[0] == 2


async def test_what_others_have_published_is_known_as_its_subscribers_know_it(
    kafka_world: KafkaWorld, country: SmallCountry, reconcile: Reconcile
) -> None:
    """In both modes, with names in any case, set aside or handled, and also if no client can read it."""
    world, data = kafka_world, orjson.dumps(case(1))
    type_ = f"{country.opened}.v1"
    whole = {"specversion": "1.0", "id": "s-1", "source": "/foreign", "type": type_, "data": case(1)}
    mode: list[tuple[str, bytes | None]] = [("Content-Type", b"application/cloudevents+json")]
    for headers, value in (
        (envelope_of(world), data),
        ([(name.upper(), text) for name, text in envelope_of(world, ce_id=b"other")], data),
        (mode, orjson.dumps(whole)),
        (mode, orjson.dumps({**whole, "id": "s-2", "data": None})),
        (mode, orjson.dumps({**whole, "id": 7})),
        ([], data),
        (envelope_of(world, ce_id=b"no-data"), None),
    ):
        await world.append(country.topic, value, key=b"case-0001", headers=headers)
    await append_with_odd_name(world)
    bus = world.bus(country.south)

    @bus.subscribe(country.opened, version=1, purpose="close-cases", name="close-cases")
    async def close(event: Event[Any]) -> None:
        """Take it."""

    async with bus:
        await until(lambda: _are_committed(world, f"{country.south}.close-cases", 8))
    _, said = await reconcile(country.opened, "--agency", country.south, "--json")
    found = orjson.loads(said)
    (reader,) = found["subscribers"]
    assert found["differences"] == []
    assert {name: reader[name] for name in ("events", "handled", "dead", "lost")} == {
        "events": 8, "handled": 3, "dead": 5, "lost": 0,
    }  # fmt: skip


async def _are_committed(world: KafkaWorld, group: str, count: int) -> bool:
    return await world.committed(group, world.country.topic) == count
