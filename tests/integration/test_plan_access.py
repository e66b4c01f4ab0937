"""Deny by default: with the authorizer on, a principal can do what the repo grants, and no more.

Whoever says who somebody is: a password (SCRAM), a client certificate (mutual TLS), or a password within TLS.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from pydantic import SecretStr

from bus import (
    RECEIPTS_TOPICS,
    AccessDeniedError,
    BusError,
    DeadLetter,
    EmbeddedKafka,
    Event,
    Reason,
    Record,
    Settings,
    apply_topics,
    checkpoints_topic,
    decode_receipts,
    open_consumer,
    open_offsets,
    read_broker_offset_us,
    receipts_topic,
    steady_ns,
)
from bus.cluster.desired import MONITOR
from bus.cluster.rollout import Rollout
from bus.doctor.examination import examine_cluster
from bus.kafka.cluster import Cluster
from bus.kafka.transport import KafkaTransport
from bus.table import deliver
from bus.tail.tail import follow
from bus.topics import AUDIT_TOPIC, CLOCK_TOPIC, REGISTRY_TOPIC, dead_letter_topic
from contracts import Access, Catalog
from tests.granted import (
    AUTHOR,
    TODAY,
    GuardedCountry,
    allowed,
    client,
    denied_to_write,
    give,
    give_passwords,
    has_open_records,
    until,
)
from tests.small_catalog import SmallCountry, case

PASSING = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE)
"""What librdkafka tells of a connection that it makes anew."""

ONE_WAY = pytest.mark.parametrize("node", ["SASL_PLAINTEXT"], indirect=True)
"""For what does not depend on how somebody says who he is."""


@pytest.fixture(scope="module", params=["SASL_PLAINTEXT", "SSL", "SASL_SSL"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A Kafka with access control."""
    protocol: str = request.param
    tls = tmp_path_factory.mktemp("tls") if protocol.endswith("SSL") else None
    with EmbeddedKafka(sasl=protocol.startswith("SASL"), tls=tls) as node:
        assert node.environment()["GOVBUS_SECURITY_PROTOCOL"] == protocol
        yield node


@pytest.fixture
async def country(tmp_path: Path, node: EmbeddedKafka) -> GuardedCountry:
    """The small country, applied; that of the test before is gone."""
    found = GuardedCountry(tmp_path / "catalog", node)
    await found.apply_anyway()
    return found


async def test_the_bus_works_with_exactly_what_is_granted(country: GuardedCountry) -> None:
    """Publish, subscribe, dead letters, receipts and checkpoints, each agency under its own name."""
    handled: list[str] = []
    south = country.bus(country.south)

    @south.subscribe(country.opened, version=1, purpose="close-cases", name="close-cases")
    async def handle(event: Event[Any]) -> DeadLetter | None:
        handled.append(event.data["reference"])
        if event.data["number"] == 2:
            return DeadLetter(Reason.UNTRANSLATABLE)
        await event.publish(
            country.closed, {"reference": event.data["reference"], "number": 1}, version="1.0"
        )
        return None

    async with south, country.bus(country.north) as north:
        for number in (1, 2):
            await north.publish(country.opened, case(number, f"case-000{number}"), version="1.0")
        await until(lambda: len(handled) == 2)
        checkpoints = south.table(checkpoints_topic(country.south))
        await checkpoints.put("x/0", b"{}")
        assert await checkpoints.get("x/0") == b"{}"
    assert sorted(handled) == ["case-0001", "case-0002"]


async def test_the_monitor_reads_receipts_and_no_event(country: GuardedCountry) -> None:
    """Under the name `govbus-monitor`, which no agency has."""
    async with country.bus(country.north) as north:
        sent = await north.publish(country.opened, case(), version="1.0")
    settings = country.settings(MONITOR)
    found: list[str] = []
    async with open_consumer(settings, group="govbus.monitor-test", topics=RECEIPTS_TOPICS) as consumer:
        async with asyncio.timeout(60):
            while sent.id not in found:
                for records in (await consumer.poll(0.5, 500)).values():
                    found += [
                        receipt.event_id for record in records for receipt in decode_receipts(record.value)
                    ]
    assert _refused_to_read(country, MONITOR, country.topic)
    assert abs(await read_broker_offset_us(settings) * 1000 + steady_ns() - time_ns()) < 60e9
    assert _refused_to_write(country, country.north, CLOCK_TOPIC)


async def test_an_agency_reads_only_what_it_is_granted(country: GuardedCountry) -> None:
    """Not another's events, dead letters, receipts or checkpoints, nor the audit."""
    south = country.south
    others = (dead_letter_topic(south), receipts_topic(south), checkpoints_topic(south))
    for topic in (f"{country.closed}.v1", *others, AUDIT_TOPIC):
        assert _refused_to_read(country, country.north, topic), topic
    assert not _refused_to_read(country, country.south, country.topic)


async def test_an_agency_writes_only_its_own(country: GuardedCountry) -> None:
    """Not another's events, dead letters, receipts or checkpoints, not the registry, not the audit."""
    north = country.north
    foreign = (country.topic, dead_letter_topic(north), receipts_topic(north), checkpoints_topic(north))
    for topic in (*foreign, REGISTRY_TOPIC, AUDIT_TOPIC):
        assert _refused_to_write(country, country.south, topic), topic
    assert not _refused_to_write(country, country.north, country.topic)


@ONE_WAY
@pytest.mark.parametrize("exactly_once", [False, True])
async def test_a_handler_whose_agency_may_not_write_waits_for_the_grant(
    country: GuardedCountry, caplog: pytest.LogCaptureFixture, *, exactly_once: bool
) -> None:
    """Its event is not to blame: the partition waits, says why, and goes on with the grant."""
    handled, closed = list[int](), f"{country.closed}.v1"
    south = country.bus(country.south)

    @south.subscribe(
        country.opened, version=1, purpose="close-cases", name="close-cases", exactly_once=exactly_once
    )
    async def handle(event: Event[Any]) -> None:
        handled.append(event.data["number"])
        await event.publish(country.closed, case(1), key=event.key, version="1.0")

    async with south, country.bus(country.north) as north:
        with denied_to_write(country.node, country.south, closed):
            await north.publish(country.opened, case(1), version="1.0")
            await until(lambda: len(handled) >= 4)
            assert "grants no access" in caplog.text
        # The attempt at hand may have come late enough to be the one that succeeds.
        group, found = f"test.{country.north}", list[Record]()
        async with open_consumer(country.settings(), group=group, topics=[closed]) as consumer:
            while not found:
                found = [one for some in (await consumer.poll(0.5, 10)).values() for one in some]
    assert len(found) == 1


@ONE_WAY
async def test_a_refused_transaction_hides_nothing_once_it_is_aborted(country: GuardedCountry) -> None:
    """Though the client has forgotten what was in it: readers of its topics would wait until it times out."""
    south, letters = country.south, dead_letter_topic(country.south)
    transport = KafkaTransport(country.settings(south))
    transaction = transport.transactional(f"{south}.once.test")
    await transport.start()
    await transaction.start()
    try:
        await deliver(transaction, letters, b"k", b"1", partition=0)
        with pytest.raises(BusError):
            await deliver(transaction, country.topic, b"k", b"2", partition=0)
        assert has_open_records(country.node, letters)
        await transaction.abort()
        await until(lambda: not has_open_records(country.node, letters))
    finally:
        await transaction.stop()
        await transport.stop()


@ONE_WAY
async def test_a_topic_is_looked_at_with_the_grant_alone(country: GuardedCountry) -> None:
    """Which is enough; without it the cluster refuses, whatever a catalogue says."""
    async with country.bus(country.north) as north:
        await north.publish(country.opened, case(4), version="1.0")
    looked = Looked(1)
    await follow(country.settings(country.south), [country.topic], "start", looked)
    assert [orjson.loads(record.value or b"")["number"] for record in looked.records] == [4]
    with pytest.raises(AccessDeniedError, match=f"topic `{country.closed}.v1`"):
        await follow(country.settings(country.north), [f"{country.closed}.v1"], "start", Looked(1))
    # Who may know of a topic, as the monitor may, may not read it for that.
    with pytest.raises(AccessDeniedError, match=f"topic `{country.topic}`"):
        await follow(country.settings(MONITOR), [country.topic], "start", Looked(1))


@ONE_WAY
async def test_what_a_user_may_not_know_of_is_never_told_as_missing(country: GuardedCountry) -> None:
    """Kafka says the same of a topic whether it is there or not, and whoever asks for it says that."""
    settings, catalog = country.settings(country.south), Catalog.open(country.folder)
    closed, hidden = f"{country.closed}.v1", f"{country.north}.audit"
    transport = KafkaTransport(settings)
    await transport.start()
    try:
        for asked in (
            transport.require_topics([closed, hidden]),
            transport.topic_ids([closed, hidden]),
            transport.require_whole(hidden),
            transport.ends(hidden),
            transport.bounds(hidden),
            transport.read_all(hidden),
            transport.committed(f"{country.south}.x", hidden),
            apply_topics(settings, catalog),
        ):
            with pytest.raises(AccessDeniedError, match="grants no access to this topic - topic `"):
                await asked
    finally:
        await transport.stop()
    async with open_offsets(settings) as offsets:
        assert (await offsets.partitions([closed, hidden])).keys() == {closed}
    async with open_offsets(country.settings()) as offsets:
        assert await offsets.partitions(["no.such.topic"]) == {"no.such.topic": 0}
    # Of those who may see the access list, one may see no topic, the other no topic's settings.
    give_passwords(country.node, "auditor")
    for user in ("auditor", country.south):
        with (
            allowed(country.node, user, "ALL", "BROKER", "kafka-cluster"),
            pytest.raises(AccessDeniedError, match="grants no access to this topic - topic `"),
        ):
            await Rollout(country.folder, settings=country.settings(user)).plan(TODAY)
    looked = examine_cluster(settings, catalog, country.folder)
    said = {one.what async for one in looked if one.area == "receipts"}
    assert f"of {country.north}: this user may not look at it; an administrator may" in said


@ONE_WAY
async def test_the_doctor_finds_who_may_do_too_little_and_too_much(country: GuardedCountry) -> None:
    """Rights, a quota and a password, in turn. An agency is told what it may not look at."""

    async def wrong(settings: Settings) -> set[tuple[str, str, str]]:
        looked = examine_cluster(settings, Catalog.open(country.folder), country.folder)
        return {(one.state, one.area, one.remedy) async for one in looked if one.state != "ok"}

    assert await wrong(country.settings()) == set()
    may_read = Access(f"User:{country.south}", "topic", country.topic, False, "read")
    async with Cluster.open(country.settings()) as cluster:
        await cluster.revoke([may_read])
        await cluster.set_quotas(country.north, {"producer_byte_rate": None})
    give(country.node, f"User:{country.south}", f"{country.north}.parked")
    looked = examine_cluster(country.settings(), Catalog.open(country.folder), country.folder)
    said = [one.what for one in [each async for each in looked] if one.state == "fault"]
    assert len(said) == 3
    assert any(f"missing: `User:{country.south} topic {country.topic}`" in what for what in said)
    parked = f"not of the catalogue: `User:{country.south} topic {country.north}.parked`"
    assert any(parked in what for what in said)
    assert any(f"`User:{country.north}` (producer_byte_rate" in what for what in said)
    remedy = "govbus contracts apply"
    assert await wrong(country.settings()) == {("fault", "access", remedy), ("fault", "quotas", remedy)}
    stranger = country.settings().model_copy(update={"sasl_password": SecretStr("guess")})
    ((state, area, remedy),) = await wrong(stranger)
    assert (state, area) == ("fault", "cluster")
    assert remedy.startswith("export GOVBUS_ENV_FILE=")
    assert {state for state, *_ in await wrong(country.settings(country.south))} == {"skipped"}


class Looked:
    """Keeps so many records."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.records: list[Record] = []

    async def begun(self, begins: object) -> None:
        """Take note of nothing."""

    def show(self, record: Record) -> None:
        """Keep one."""
        self.records.append(record)

    def is_over(self) -> bool:
        """Whether there are enough."""
        return len(self.records) >= self._count


async def test_an_agency_joins_only_its_own_groups(country: GuardedCountry) -> None:
    """With another's group it could take its events away."""
    with pytest.raises(AccessDeniedError):
        await _join(country, country.south, f"{country.north}.readers")
    await _join(country, country.south, f"{country.south}.readers")


async def test_a_withdrawn_grant_cuts_a_running_subscriber_off(country: GuardedCountry) -> None:
    """Within 60 s of removing the document and applying; no event after that is handled."""
    handled: list[int] = []
    south = country.bus(country.south)

    @south.subscribe(country.opened, version=1, purpose="close-cases", name="close-cases")
    async def handle(event: Event[Any]) -> None:
        handled.append(event.data["number"])

    async with south, country.bus(country.north) as north:
        await north.publish(country.opened, case(1), version="1.0")
        await until(lambda: handled == [1])
        serving = [south.serving]
        country.grant_file.unlink()
        withdrawn = monotonic()
        plan = await country.apply()
        assert [(change.action, change.kind) for change in plan.changes] == [("-", "access")]
        with pytest.raises(AccessDeniedError):
            async with asyncio.timeout(60):
                await south.wait()
        assert monotonic() - withdrawn < 60
        serving.append(south.serving)
        await north.publish(country.opened, case(2), version="1.0")
        assert (handled, serving) == ([1], [True, False])


@pytest.mark.parametrize("node", ["SASL_PLAINTEXT"], indirect=True)
async def test_a_catalogue_that_lost_something_takes_nothing_from_anyone(country: GuardedCountry) -> None:
    """Without a registry, the cluster itself says what was applied: all is as it was until there is leave."""
    folder, agencies = country.folder, country.folder / "agencies"
    country.add_agency("lender", 3)
    grants = [country.grant_south(f"lender.event-{number}") for number in range(3)]
    policy = folder / "cluster.yaml"
    policy.write_text("publish_bytes_per_second: 20000000\nspared_principals: [User:backup]\n")
    give(country.node, "User:backup", "*")
    assert not (await country.rollout_at(2_000).apply(TODAY, AUTHOR)).refusals
    before = await _access(country)

    async def asked(break_it: Callable[[], object], committed: int = 3_000) -> set[str]:
        aside = folder.with_name("aside")
        shutil.copytree(folder, aside)
        break_it()
        plan = await country.rollout_at(committed).apply(TODAY, AUTHOR)
        shutil.rmtree(folder)
        aside.rename(folder)
        assert not [change for change in plan.changes if (change.action, change.kind) == ("~", "quota")]
        return {change.name for change in plan.refusals if change.kind == "catalogue"}

    def removed(*files: Path) -> None:
        for file in files:
            shutil.rmtree(file) if file.is_dir() else file.unlink()

    assert await asked(lambda: removed(policy)) == {"spared_principals"}
    assert await asked(lambda: policy.write_text("spared_principals: []\n")) == {"spared_principals"}
    assert await asked(lambda: removed(agencies / country.south / "subscriptions")) == {"subscriptions"}
    assert await asked(lambda: removed(*grants, agencies / "lender")) >= {"agencies"}
    assert await asked(lambda: removed(*grants[:1]), committed=1_000) == {"commit"}

    def other_country() -> None:
        removed(folder)
        SmallCountry(folder)

    assert await asked(other_country) >= {"agencies", "spared_principals"}
    assert await _access(country) == before
    removed(*grants[:2])
    assert not (await country.rollout_at(3_000).apply(TODAY, AUTHOR)).refusals
    assert len(before - await _access(country)) == 2


async def _access(country: GuardedCountry) -> frozenset[Access]:
    async with Cluster.open(country.settings()) as cluster:
        return await cluster.access() or frozenset()


def _refused_to_read(country: GuardedCountry, user: str, topic: str) -> bool:
    group = "govbus.monitor-probe" if user == MONITOR else f"{user}.probe"
    settings = {"group.id": group, "enable.partition.eof": True, "auto.offset.reset": "earliest"}
    consumer = Consumer({**client(country.node, user), **settings})
    try:
        consumer.subscribe([topic])
        while True:
            message = consumer.poll(60)
            assert message is not None
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                return False
            if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                return True
            assert error.code() in PASSING, error
    finally:
        consumer.close()


def _refused_to_write(country: GuardedCountry, user: str, topic: str) -> bool:
    errors: list[KafkaError | None] = []
    producer = Producer(client(country.node, user))
    producer.produce(topic, b"x", partition=0, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(60) == 0
    error = errors[0]
    return error is not None and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


async def _join(country: GuardedCountry, user: str, group: str) -> None:
    topic = dead_letter_topic(user)
    async with open_consumer(country.settings(user), group=group, topics=[topic]) as consumer:
        await consumer.poll(0.1, 1)
