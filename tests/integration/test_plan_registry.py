"""From repo to running process: drift is told, a killed apply is finished, news arrives without a restart."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from time import monotonic, time
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from bus import Bus, BusUnavailableError, EmbeddedKafka, Event, RetryPolicy, UsageError
from bus.cluster.rollout import LOCK, Rollout
from bus.kafka import consumer
from bus.kafka.lock import held
from bus.kafka.transport import KafkaTransport
from bus.topics import AUDIT_TOPIC, REGISTRY_TOPIC, partition_of
from contracts import UnknownVersionError
from tests.granted import (
    AUTHOR,
    LIBRDKAFKA,
    TODAY,
    GuardedCountry,
    administrator,
    client,
    give,
    make_keys,
    until,
)
from tests.small_catalog import case

APPLY = """
import asyncio, sys, time
from datetime import date
from pathlib import Path
from bus.cluster.rollout import Author, Rollout
told = []
def done(change):
    told.append(change)
    print(change.kind, change.name, flush=True)
    if len(told) == 5:
        time.sleep(600)
asyncio.run(Rollout(Path(sys.argv[1])).apply(date(2026, 11, 24), Author("killed", ""), done))
"""

KEYS = [f"case-{number:04}" for number in range(24)]


@pytest.fixture(scope="module")
def node() -> Iterator[EmbeddedKafka]:
    """A Kafka with access control."""
    with EmbeddedKafka(sasl=True) as node:
        yield node


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The keys of the registry."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, node: EmbeddedKafka) -> GuardedCountry:
    """One country for the module: a registry holds one repo."""
    return GuardedCountry(tmp_path_factory.mktemp("country"), node)


@pytest.fixture
async def country(found: GuardedCountry, keys: dict[str, Path]) -> GuardedCountry:
    """The country as its folder says it."""
    await found.apply(**keys)
    return found


async def test_a_second_apply_finds_nothing_to_do(country: GuardedCountry, keys: dict[str, Path]) -> None:
    """And each that did something left two lines in the audit: begun, and done with what."""
    again = await country.apply(**keys)
    assert (again.changes, again.left) == ((), ())
    lines = [orjson.loads(value) for _, value in await _all(country, AUDIT_TOPIC)]
    phases = {line["phase"] for line in lines if line["by"] == AUTHOR.name}
    assert phases == {"begun", "done"}
    assert {line["commit"] for line in lines if line["by"] == AUTHOR.name} == {AUTHOR.commit}
    assert any(change["kind"] == "topic" for line in lines for change in line["changes"])


async def test_what_others_change_by_hand_is_drift(country: GuardedCountry, keys: dict[str, Path]) -> None:
    """Retention, access and quota; `apply` sets them right, and leaves strangers' things alone."""
    admin = administrator(country.node)
    _change_by_hand(admin, country)
    plan = await country.rollout(**keys).plan(TODAY)
    assert sorted((change.action, change.kind) for change in plan.changes) == [
        ("-", "access"),
        ("~", "topic"),
    ]
    assert plan.changes[1].what == ("retention.ms: 1 second -> 7 days",)
    await country.apply(**keys)
    assert (await country.rollout(**keys).plan(TODAY)).changes == ()
    assert "warehouse.stock.v1" in admin.list_topics(timeout=30).topics


async def test_a_shorter_retention_waits_for_leave(country: GuardedCountry, keys: dict[str, Path]) -> None:
    """Nothing else of the same plan is done either."""
    place = country.folder / "agencies" / country.north / "case-opened" / "contract.yaml"
    before = place.read_text()
    country.grant_file.unlink()
    place.write_text(before.replace("retention: P7D", "retention: P3D"))
    try:
        plan = await country.apply(**keys)
        assert [change.name for change in plan.refusals] == [country.topic]
        again = await country.rollout(**keys).plan(TODAY)
        assert [change.kind for change in again.changes] == [change.kind for change in plan.changes]
    finally:
        place.write_text(before)
        country.grant_south()


async def test_an_older_commit_is_not_applied_over_a_newer_one(
    country: GuardedCountry, keys: dict[str, Path]
) -> None:
    """The registry says when the commit was made from which it was written."""
    place = country.folder / "services" / "one-case.yaml"
    before = place.read_text()
    place.write_text(before.replace("Opened here", "Opened there"))
    try:
        assert not (await country.rollout_at(2_000, **keys).apply(TODAY, AUTHOR)).refusals
    finally:
        place.write_text(before)
    older = await country.rollout_at(1_000, **keys).apply(TODAY, AUTHOR)
    assert [change.name for change in older.refusals] == ["commit"]
    assert not (await country.rollout_at(3_000, **keys).apply(TODAY, AUTHOR)).refusals


async def test_the_signed_policy_says_who_was_spared(country: GuardedCountry, keys: dict[str, Path]) -> None:
    """A line that is missing from `cluster.yaml` is told, and nothing else of the plan is done."""
    policy = country.folder / "cluster.yaml"
    policy.write_text("spared_principals: [User:backup]\n")
    give(country.node, "User:backup", country.topic)
    try:
        await country.apply(**keys)
        policy.write_text("read_bytes_per_second: 52428800\n")
        plan = await country.apply(**keys)
        assert [(change.name, change.what) for change in plan.refusals] == [
            ("spared_principals", (f"`User:backup` may no longer `read topic {country.topic}`",))
        ]
        plan = await country.apply_anyway(**keys)
        assert [change.name for change in plan.changes if change.kind == "access"]
    finally:
        policy.write_text("{}\n")


async def test_who_has_no_key_leaves_no_registry_behind(
    country: GuardedCountry, keys: dict[str, Path]
) -> None:
    """Two shells plan the same, or one of them nothing."""
    country.grant_file.unlink()
    try:
        plan = await country.apply()
        assert [change.name for change in plan.refusals] == ["signatures"]
        assert not (await country.rollout(**keys).plan(TODAY)).refusals
    finally:
        country.grant_south()


async def test_a_wrong_clock_takes_nothing_from_anyone(
    country: GuardedCountry, keys: dict[str, Path]
) -> None:
    """All grants would have ended, or not yet begun: the brokers' time is asked before anything is done."""
    later = date(3000, 1, 1)
    ahead = Rollout(country.folder, settings=country.settings(None, **keys), now=lambda: time() + 7_200)
    with pytest.raises(UsageError, match=r"off by \+7,"):
        await ahead.apply(later, AUTHOR)
    assert (await country.rollout(**keys).plan(TODAY)).changes == ()


async def test_a_new_minor_version_is_used_without_restart(
    country: GuardedCountry, keys: dict[str, Path]
) -> None:
    """Soon after `apply`, by a publisher and a subscriber that were running before."""
    received: list[Event[Any]] = []
    public = {"registry_public_key": keys["registry_public_key"]}
    south = country.bus(country.south, **public)

    @south.subscribe(country.opened, version=1, purpose="close-cases", name="close-cases")
    async def handle(event: Event[Any]) -> None:
        received.append(event)

    async with south, country.bus(country.north, **public) as north:
        country.add_version("1.2", "colour")
        with pytest.raises(UnknownVersionError):
            north.submit(country.opened, case(), version="1.2")
        await country.apply(**keys)
        applied = monotonic()
        await until(lambda: all(_knows(bus, country.opened, "1.2") for bus in (north, south)))
        learned = monotonic() - applied
        sent = await north.publish(country.opened, case(colour="green"), version="1.2")
        await until(lambda: received)
    assert (received[0].id, received[0].data["colour"]) == (sent.id, "green")
    assert received[0].version == "1.2"
    assert learned < 30


async def test_a_subscriber_asks_for_the_news_before_it_refuses(
    country: GuardedCountry, keys: dict[str, Path]
) -> None:
    """An event of a version that the registry has is no dead letter, however soon it comes."""
    received: list[str] = []
    south = country.bus(country.south, registry_public_key=keys["registry_public_key"])

    @south.subscribe(country.opened, version=1, purpose="close-cases", name="ask-first")
    async def handle(event: Event[Any]) -> None:
        received.append(event.id)

    async with south:
        assert south._follower is not None
        assert south._follower._task is not None
        south._follower._task.cancel()  # no news comes by itself
        country.add_version("1.3", "shape")
        await country.apply(**keys)
        async with country.bus(country.north) as north:
            sent = await north.publish(country.opened, case(shape="round"), version="1.3")
        await until(lambda: sent.id in received)


async def test_what_nobody_signed_is_ignored_told_and_mended(
    country: GuardedCountry, keys: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """A running process goes on with what it knows; the plan writes the entry anew."""
    key = f"contract/{country.opened}"
    async with country.bus(country.north, registry_public_key=keys["registry_public_key"]) as north:
        _write(country, key, b'{"payload": "forged"}')
        _write(country, "agency/nobody", b"junk")
        await until(lambda: caplog.text.count("an entry of the registry is ignored") >= 2)
        await north.publish(country.opened, case(), version="1.0")
    plan = await country.rollout(**keys).plan(TODAY)
    assert {(change.action, change.name) for change in plan.changes} == {("~", key), ("-", "agency/nobody")}
    assert {"not a signed entry: written again", "not a signed entry"} == {
        change.why for change in plan.changes
    }
    await country.apply(**keys)
    assert (await country.rollout(**keys).plan(TODAY)).changes == ()


async def test_a_killed_apply_is_finished_by_the_next(country: GuardedCountry, keys: dict[str, Path]) -> None:
    """SIGKILL in the middle: nothing is half a thing, and the next one goes on from there."""
    country.add_agency("killed", 12)
    assert await asyncio.to_thread(_killed_in_the_middle, country, keys)
    rest = await country.rollout(**keys).plan(TODAY)
    assert rest.changes
    assert not rest.refusals
    await country.apply(**keys)
    assert (await country.rollout(**keys).plan(TODAY)).changes == ()
    lines = [orjson.loads(value) for _, value in await _all(country, AUDIT_TOPIC)]
    assert [line["phase"] for line in lines if line["by"] == "killed"] == ["begun"]


async def test_two_do_not_apply_at_once(country: GuardedCountry) -> None:
    """The second waits a while, and then says so."""
    settings = country.settings()
    async with held(settings, group=LOCK, topic=AUDIT_TOPIC, wait_seconds=30):
        with pytest.raises(BusUnavailableError, match="is running"):
            async with held(settings, group=LOCK, topic=AUDIT_TOPIC, wait_seconds=0.5):
                pass


async def test_partitions_that_others_add_move_no_key(
    country: GuardedCountry, keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Publishers go by the catalogue, subscribers read all, and the plan names what was done."""
    monkeypatch.setattr(consumer, "METADATA_MS", 500)
    count = country.partitions()
    public = {"registry_public_key": keys["registry_public_key"]}
    admin = administrator(country.node)
    more = LIBRDKAFKA.NewPartitions(country.topic, count + 2)
    admin.create_partitions([more])[country.topic].result(timeout=30)
    received: list[str] = []
    south = country.bus(country.south, **public)

    @south.subscribe(country.opened, version=1, purpose="close-cases", name="foreign-partitions")
    async def handle(event: Event[Any]) -> None:
        received.append(event.data["reference"])

    async with south, country.bus(country.north, **public) as north:
        sent = await north.publish_many(country.opened, [case(1, key) for key in KEYS], version="1.0")
        await until(lambda: set(received) >= set(KEYS))
    assert [receipt.partition for receipt in sent] == [partition_of(key.encode(), count) for key in KEYS]
    plan = await country.rollout(**keys).plan(TODAY)
    assert plan.changes == ()
    assert [(change.name, change.what) for change in plan.left] == [
        (country.topic, (f"partitions: {count} -> {count + 2}",))
    ]


async def test_partitions_grow_while_events_are_published_and_none_overtakes(
    country: GuardedCountry, keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Publishers wait, and none of them fails."""
    monkeypatch.setattr(consumer, "METADATA_MS", 500)
    public = {"registry_public_key": keys["registry_public_key"]}
    _forget_groups(country)
    received: dict[str, list[int]] = {key: [] for key in KEYS}
    partitions: set[int] = set()
    south = country.bus(country.south, **public)

    @south.subscribe(country.opened, version=1, purpose="close-cases", name="grow")
    async def handle(event: Event[Any]) -> None:
        received[event.data["reference"]].append(event.data["number"])

    async with south, country.bus(country.north, **public) as north:
        stop, rounds = asyncio.Event(), 0

        async def publish() -> None:
            nonlocal rounds
            while not stop.is_set():
                rounds += 1
                sent = await north.publish_many(
                    country.opened, [case(rounds, key) for key in KEYS], version="1.0"
                )
                partitions.update(receipt.partition for receipt in sent)
                await asyncio.sleep(0.02)

        publishing = asyncio.create_task(publish())
        try:
            await until(lambda: all(received.values()))
            before = country.partitions()
            country.set_partitions(before + 3)
            refused = await country.apply(**keys)
            assert [(change.kind, change.name) for change in refused.refusals] == [("growth", country.opened)]
            rollout = country.grower(300, **keys)
            assert not (await rollout.apply(TODAY, AUTHOR)).refusals
            await until(lambda: max(partitions) == before + 2)
            switched = rounds
            await until(lambda: rounds > switched + 1)
        finally:
            stop.set()
            await publishing
        await until(lambda: all(rounds in numbers for numbers in received.values()))
    assert {key: list(dict.fromkeys(numbers)) for key, numbers in received.items()} == {
        key: list(range(1, rounds + 1)) for key in KEYS
    }
    assert (await country.rollout(**keys).plan(TODAY)).changes == ()


async def test_a_growth_that_is_held_up_is_given_up_and_names_who_holds_it(
    country: GuardedCountry, keys: dict[str, Path]
) -> None:
    """A key that is parked may not be overtaken; publishers go on as before."""
    public = {"registry_public_key": keys["registry_public_key"]}
    failed = asyncio.Event()
    south = country.bus(country.south, **public)

    @south.subscribe(
        country.opened,
        version=1,
        purpose="close-cases",
        name="hold-up",
        retry=RetryPolicy(schedule_seconds=(600,)),
    )
    async def handle(event: Event[Any]) -> None:
        if event.data["reference"] == "case-held":
            failed.set()
            raise RuntimeError

    async with south, country.bus(country.north, **public) as north:
        await north.publish(country.opened, case(1, "case-held"), version="1.0")
        await asyncio.wait_for(failed.wait(), 60)
        before = country.partitions()
        country.set_partitions(before + 1)
        with pytest.raises(BusUnavailableError, match=f"`{country.south}` holds 1 event parked"):
            await country.grower(2, **keys).apply(TODAY, AUTHOR)
        country.set_partitions(before)
        sent = await north.publish(country.opened, case(2, KEYS[1]), version="1.0")
    assert sent.partition == partition_of(KEYS[1].encode(), before)


def _forget_groups(country: GuardedCountry) -> None:
    """Delete the groups of earlier tests: nobody reads on for them, so they would hold a growth up."""
    admin = administrator(country.node)
    groups = [group.group_id for group in admin.list_consumer_groups().result(timeout=30).valid]
    for done in admin.delete_consumer_groups(groups).values() if groups else ():
        done.result(timeout=30)


def _killed_in_the_middle(country: GuardedCountry, keys: dict[str, Path]) -> list[str]:
    """Return what an `apply` had told before it was killed."""
    node = country.node
    paths = {f"GOVBUS_{name.upper()}": str(path) for name, path in keys.items()}
    process = subprocess.Popen(
        [sys.executable, "-c", APPLY, str(country.folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **node.environment(), **paths},
    )
    assert process.stdout is not None
    with process.stdout:
        told = [process.stdout.readline() for _ in range(5)]
        process.kill()
        process.wait()
    return told


def _knows(bus: Bus, subject: str, number: str) -> bool:
    return number in [version.number for version in bus.catalog.contract(subject).versions]


def _write(country: GuardedCountry, key: str, value: bytes) -> None:
    node = country.node
    producer = Producer(client(node, node.admin_username, node.admin_password))
    producer.produce(REGISTRY_TOPIC, value, key)
    assert producer.flush(60) == 0


async def _all(country: GuardedCountry, topic: str) -> list[tuple[bytes | None, bytes]]:
    transport = KafkaTransport(country.settings())
    try:
        await transport.start()
        return [(record.key, record.value or b"") for record in await transport.read_all(topic)]
    finally:
        await transport.stop()


def _change_by_hand(admin: Any, country: GuardedCountry) -> None:
    from confluent_kafka import admin as librdkafka

    kafka: Any = librdkafka
    resource = kafka.ConfigResource(
        kafka.ConfigResource.Type.TOPIC,
        country.topic,
        incremental_configs=[
            kafka.ConfigEntry("retention.ms", "1000", incremental_operation=kafka.AlterConfigOpType.SET)
        ],
    )
    give(country.node, "User:stranger", country.topic)
    waiting = [
        *admin.incremental_alter_configs([resource]).values(),
        *admin.create_topics([kafka.NewTopic("warehouse.stock.v1", 1, 1)]).values(),
    ]
    for done in waiting:
        done.result(timeout=30)
