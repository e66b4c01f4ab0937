"""Dead letters as an operator uses them: seen, redriven in order, discarded, accounted for."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from bus import (
    Bus,
    ContractViolationError,
    DeadLetter,
    Draft,
    Event,
    FencedError,
    Reason,
    RetryPolicy,
    UsageError,
)
from bus.dead_letters.operations import DeadLetters, Filter, Operator, in_source_order
from bus.topics import audit_topic
from contracts import Catalog
from observability import Store
from tests.deliveries import envelope_of
from tests.small_catalog import SmallCountry, case
from tests.worlds import KafkaWorld, MemoryWorld, World, receipts, until

ONCE = RetryPolicy((0.02,), jitter=0)
MAE = Operator("mae", "the register is mended")
Seen = list[tuple[str, int]]


class Office:
    """A handler that cannot take some cases until it is mended."""

    def __init__(self) -> None:
        self.seen: Seen = []
        self.broken = True

    async def take(self, event: Event[Any]) -> None:
        """Fail case 1 while broken."""
        self.seen.append((event.key or "", event.data["number"]))
        if self.broken and event.data["number"] == 1:
            raise RuntimeError("Ada Lovelace")


def subscribed(world: World, *handlers: tuple[str, Callable[[Event[Any]], Any]]) -> Bus:
    """Return a bus with a subscription of each name."""
    bus = world.bus(world.country.south)
    for name, handler in handlers:
        bus.subscribe(world.country.opened, version=1, purpose="close-cases", name=name, retry=ONCE)(handler)
    return bus


async def publish(world: World, *drafts: tuple[str, int]) -> None:
    """Publish cases by key and number, in order."""
    async with world.bus(world.country.north) as bus:
        await bus.publish_many(
            world.country.opened, [Draft(case(number), key=key) for key, number in drafts], version="1.0"
        )


@asynccontextmanager
async def letters_of(world: World) -> AsyncIterator[DeadLetters]:
    """Open the letters of the south."""
    bus = world.bus(world.country.south)
    await bus._transport.start()
    try:
        async with DeadLetters(bus._transport, world.country.south, world.country.catalog) as letters:
            yield letters
    finally:
        await bus._transport.stop()


async def with_a_dead_letter(world: World, office: Office) -> None:
    """Let case 1 fail for good, with case 2 of its key behind it."""
    async with subscribed(world, ("office", office.take)):
        await publish(world, ("k", 1), ("k", 2), ("other", 3))
        await until(lambda: world.records(f"{world.country.south}.dead-letters"))
        await until(lambda: ("other", 3) in office.seen)
        await until(lambda: _waits(world, 2))


async def _waits(world: World, count: int) -> bool:
    """Whether that many events wait; how many rows tell of them depends on how quick the machine is."""
    latest = {row.key: row.value for row in await world.records(f"{world.country.south}.parked")}
    return sum(value is not None for value in latest.values()) == count


async def _audited(world: World) -> list[dict[str, Any]]:
    said = [
        orjson.loads(record.value or b"{}")
        for record in await world.records(audit_topic(world.country.south), committed=True)
    ]
    return [one for one in said if one["agency"] == world.country.south]


async def test_a_letter_says_where_it_came_from_and_nothing_of_its_data(world: World) -> None:
    """Place, subscription, reason, attempts, times, class of the error; original bytes and headers."""
    office = Office()
    await with_a_dead_letter(world, office)
    async with letters_of(world) as opened:
        (letter,) = await opened.read()
    assert (letter.state, letter.held, letter.subscription) == ("open", True, "office")
    why = letter.why
    assert (why["reason"], why["stage"], why["attempts"]) == ("handler-failed", "handle", "2")
    assert (why["topic"], why["error"]) == (world.country.topic, "RuntimeError")
    assert int(why["first-us"]) <= int(why["last-us"])
    assert orjson.loads(letter.value or b"") == case(1)
    assert "Ada" not in repr(why)


async def test_a_redriven_event_goes_first_and_what_waited_follows(world: World) -> None:
    """A running subscriber hears of it; no other key is touched; who and why are on record."""
    office = Office()
    await with_a_dead_letter(world, office)
    office.broken = False
    async with subscribed(world, ("office", office.take)), letters_of(world) as opened:
        (letter,) = await opened.read()
        await opened.redrive(letter, MAE)
        await until(lambda: ("k", 2) in office.seen)
        await publish(world, ("k", 4))
        await until(lambda: ("k", 4) in office.seen)
        (letter,) = await opened.read()
    assert [number for key, number in office.seen if key == "k"] == [1, 1, 1, 2, 4]
    assert letter.state == "redriven"
    (act,) = letter.acts
    assert (act.what, act.by, act.why, act.edited) == ("redrive", "mae", MAE.why, False)
    (audited,) = await _audited(world)
    assert (audited["act"], audited["by"], audited["letter"]) == ("dead-letter-redrive", "mae", letter.name)


async def test_of_two_operators_at_once_one_acts(world: World) -> None:
    """The other hears of it, has done nothing, and the audit says which it was."""
    office, tom = Office(), Operator("tom", "it came too late")
    await with_a_dead_letter(world, office)
    office.broken = False
    async with letters_of(world) as one, letters_of(world) as other:
        (letter,) = await one.read()
        found = await asyncio.gather(
            one.redrive(letter, MAE), other.discard(letter, tom), return_exceptions=True
        )
        (fault,) = [fault for fault in found if fault is not None]
        assert isinstance(fault, FencedError | UsageError)
        (letter,) = await one.read()
        with pytest.raises(UsageError, match=f"Expected an open letter, got one that was {letter.state} by"):
            await one.discard(letter, tom)
    (act,), (audited,) = letter.acts, await _audited(world)
    assert (audited["act"], audited["by"]) == (f"dead-letter-{act.what}", act.by)
    assert (letter.state, act.by) == (("redriven", "mae") if found[0] is None else ("discarded", "tom"))
    async with subscribed(world, ("office", office.take)):
        await until(lambda: ("k", 2) in office.seen)
    assert [number for key, number in office.seen if key == "k"] == [1, 1, *([1] * (act.by == "mae")), 2]


async def test_a_redrive_waits_for_its_subscriber(world: World) -> None:
    """Nobody runs now; the next process does it."""
    office = Office()
    await with_a_dead_letter(world, office)
    office.broken = False
    async with letters_of(world) as opened:
        await opened.redrive((await opened.read())[0], MAE)
    async with subscribed(world, ("office", office.take)):
        await until(lambda: ("k", 2) in office.seen)
    assert [number for key, number in office.seen if key == "k"] == [1, 1, 1, 2]


async def test_a_redrive_reaches_the_failing_subscription_alone(world: World) -> None:
    """Its neighbour, which took the event, does not see it again."""
    office, neighbour = Office(), Office()
    neighbour.broken = False
    async with subscribed(world, ("office", office.take), ("neighbour", neighbour.take)):
        await publish(world, ("k", 1))
        await until(lambda: world.records(f"{world.country.south}.dead-letters"))
        office.broken = False
        async with letters_of(world) as opened:
            await opened.redrive((await opened.read())[0], MAE)
            await until(lambda: len(office.seen) == 3)
        await publish(world, ("k", 2))
        await until(lambda: ("k", 2) in neighbour.seen)
        await until(lambda: ("k", 2) in office.seen)
    assert neighbour.seen == [("k", 1), ("k", 2)]


async def test_a_discarded_letter_lets_its_key_go_on(world: World) -> None:
    """The event is given up; those behind it are handled."""
    office = Office()
    await with_a_dead_letter(world, office)
    async with subscribed(world, ("office", office.take)), letters_of(world) as opened:
        await opened.discard((await opened.read())[0], MAE)
        await until(lambda: ("k", 2) in office.seen)
        (letter,) = await opened.read()
    assert [number for key, number in office.seen if key == "k"] == [1, 1, 2]
    assert (letter.state, letter.held) == ("discarded", False)


async def test_a_discarded_letter_is_resolved_for_everybody(world: World, tmp_path: Path) -> None:
    """An event, and what a source set aside: the monitor counts neither any more, and still lists both."""
    await with_a_dead_letter(world, Office())
    async with world.bus(world.country.south) as bus:
        await bus.dead_letter(b"a;b", reason=Reason.MALFORMED_RECORD, stage="read", where={"line": "3"})
    with Store(f"sqlite:///{tmp_path / 'monitor.db'}", {}) as store:
        store.apply(await receipts(world))
        assert store.summary().dead_letters == 2
        async with letters_of(world) as opened:
            for letter in await opened.read():
                await opened.discard(letter, MAE)
        store.apply(await receipts(world))
        assert store.summary().dead_letters == 0
        assert [letter.resolved for letter in store.dead_letters()] == [True, True]


async def test_an_edited_event_is_handled_and_the_original_is_kept(world: World) -> None:
    """Both hashes are on record; data that breaks the contract is refused with every violation."""
    office = Office()
    await with_a_dead_letter(world, office)
    async with subscribed(world, ("office", office.take)), letters_of(world) as opened:
        (letter,) = await opened.read()
        with pytest.raises(ContractViolationError) as refused:
            await opened.redrive(letter, MAE, b'{"number": "one"}')
        assert len(refused.value.violations) == 2
        with pytest.raises(UsageError, match="each name once"):
            await opened.redrive(letter, MAE, orjson.dumps(case(7))[:-1] + b', "number": 8}')
        assert await _audited(world) == []
        await opened.redrive(letter, MAE, orjson.dumps(case(7)))
        await until(lambda: ("k", 2) in office.seen)
        (letter,) = await opened.read()
    assert [number for key, number in office.seen if key == "k"] == [1, 1, 7, 2]
    assert orjson.loads(letter.value or b"") == case(1)
    assert letter.acts[0].edited
    assert len(set(letter.acts[0].hashes)) == 2


async def test_of_a_letter_the_granted_fields_are_shown_and_edited(country: SmallCountry) -> None:
    """The letter holds the whole event; what is edited keeps the rest of it."""
    country.grant(country.south, country.opened, "close-cases", fields=["$.number", "$.padding"])
    country.catalog = Catalog.open(country.folder)
    world, seen = MemoryWorld(country), list[Any]()

    async def take(event: Event[Any]) -> DeadLetter | None:
        seen.append(event.data)
        return DeadLetter(Reason.HANDLER_FAILED) if event.data["number"] == 1 else None

    south = subscribed(world, ("office", take))
    async with south, world.bus(country.north) as north:
        whole = case(1, "case-of-ada", padding="x")
        await north.publish(country.opened, whole, version="1.0")
        await world.append(country.topic, b'{"reference": "case-of-ada"}', headers=envelope_of(world))
        await until(lambda: len(world.cluster.records(f"{country.south}.dead-letters")) == 2)
        async with letters_of(world) as opened:
            letter, broken = await opened.read()
            if letter.value == b'{"reference": "case-of-ada"}':
                letter, broken = broken, letter
            assert orjson.loads(letter.value or b"") == whole
            assert orjson.loads(opened.shown(letter) or b"") == {"number": 1, "padding": "x"}
            assert opened.shown(broken) in (None, b"{}")
            with pytest.raises(UsageError, match=r"granted fields alone \(\$\.number, \$\.padding\)"):
                await opened.redrive(letter, MAE, orjson.dumps({**whole, "number": 7}))
            await opened.redrive(letter, MAE, orjson.dumps({"number": 7}))
            await until(lambda: len(seen) == 2)
    assert seen == [{"number": 1, "padding": "x"}, {"number": 7}]


async def test_what_a_source_set_aside_cannot_be_redriven(world: World) -> None:
    """The message says what to do instead."""
    async with world.bus(world.country.south) as bus:
        await bus.dead_letter(b"a;b", reason=Reason.MALFORMED_RECORD, stage="read", where={"line": "3"})
    async with letters_of(world) as opened:
        (letter,) = await opened.read()
        with pytest.raises(UsageError, match="the connector reads it again"):
            await opened.redrive(letter, MAE)
        await opened.discard(letter, MAE)
        assert (await opened.read())[0].state == "discarded"


async def test_forged_letters_and_acts_stop_nobody(world: World) -> None:
    """Foreign records are letters without a reason; an act that says nothing is none."""
    topic = f"{world.country.south}.dead-letters"
    await world.append(topic, b"\xff", key=b"\xff", headers=[("x", None), ("x", b"\xff")])
    await world.append(topic, None, headers=[("govbus-dead-letter-act", b"{}")])
    await world.append(topic, None, headers=[("govbus-dead-letter-act", None)])
    async with letters_of(world) as opened:
        letters = await opened.read()
        assert [letter.state for letter in letters] == ["open"] * 3
        with pytest.raises(UsageError):
            await opened.redrive(letters[0], MAE)
        with pytest.raises(UsageError, match="who acts and why"):
            await opened.discard(letters[0], Operator("mae", " "))


async def test_letters_are_found_by_what_is_said_of_them(world: World) -> None:
    """Subscription, reason, key, state, name, time; and redriven in the order of their topic."""
    office = Office()
    await with_a_dead_letter(world, office)
    async with letters_of(world) as opened:
        (letter,) = await opened.read()
    at = letter.set_aside_at
    fits = [Filter(), Filter(key="k"), Filter(subscription="office", reason="handler-failed", state="open")]
    fits += [Filter(names=frozenset({letter.name})), Filter(since=at)]
    others = [Filter(key="x"), Filter(state="redriven"), Filter(until=at), Filter(names=frozenset({"a/1"}))]
    assert [one.takes(letter) for one in (*fits, *others)] == [True] * 5 + [False] * 4
    assert in_source_order([letter]) == [letter]


def run(world: KafkaWorld, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as an operator does."""
    environment = {
        **os.environ, "GOVBUS_BOOTSTRAP_SERVERS": world.bootstrap_servers,
        "GOVBUS_CATALOG": str(folder / "catalog"), "GOVBUS_OPERATOR": "mae", "COLUMNS": "160",
    }  # fmt: skip
    command = [sys.executable, "-m", "bus", "deadletters", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


async def test_the_command_line_shows_and_acts(
    kafka_world: KafkaWorld, country: SmallCountry, tmp_path: Path
) -> None:
    """List finds, a dry run does nothing, redrive does it, export keeps the bytes to its owner."""
    world, office = kafka_world, Office()
    await with_a_dead_letter(world, office)
    name = f"{country.south}/0"
    listed = run(world, tmp_path, "list", "--agency", country.south)
    assert listed.returncode == 100, listed.stderr
    assert name in listed.stdout
    assert "its key is held" in listed.stdout
    shown = run(world, tmp_path, "show", name)
    assert "case-0001" not in shown.stdout + shown.stderr
    assert "case-0001" in run(world, tmp_path, "show", name, "--data").stdout
    dry = run(world, tmp_path, "redrive", name, "--why", "mended", "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, "1 would be redriven\n"), dry.stderr
    assert await _audited(world) == []
    assert run(world, tmp_path, "redrive", name).returncode == 2
    assert run(world, tmp_path, "discard", "--agency", country.south, "--why", "x").returncode == 2
    file = tmp_path / "letters.jsonl"
    exported = run(world, tmp_path, "export", "--agency", country.south, "-o", str(file))
    assert exported.returncode == 0, exported.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    done = run(world, tmp_path, "redrive", name, "--why", "mended")
    assert (done.returncode, done.stdout) == (0, "1 redriven\n"), done.stderr
    again = run(world, tmp_path, "list", "--agency", country.south, "--state", "open")
    assert (again.returncode, again.stdout) == (0, f"no dead letters of {country.south} match\n")
    assert [one["by"] for one in await _audited(world)] == ["mae"]
