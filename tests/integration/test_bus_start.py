"""Starting: no broker, no topic, no right; each is named at once, and nothing is left open."""

import asyncio
import gc
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from bus import (
    AccessDeniedError,
    Bus,
    BusUnavailableError,
    EmbeddedKafka,
    Event,
    Settings,
    TopicMissingError,
    UsageError,
    apply_topics,
)
from bus.kafka.cluster import Cluster
from tests.grants import with_grant
from tests.ports import held_port
from tests.small_catalog import SmallCountry, case
from tests.worlds import KafkaWorld, until

LONG_SECONDS = 3600.0
SOON_SECONDS = 30.0
"""Less than any time-out of the bus or of aiokafka under it, but for those that a test sets itself."""
PASSWORD = "not-the-password-3f9c"


async def test_a_start_without_a_broker_fails_plainly(
    country: SmallCountry, caplog: pytest.LogCaptureFixture
) -> None:
    """`BusUnavailableError` at once, with the address, and nothing left open."""
    with held_port() as port, warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        address = f"127.0.0.1:{port}"
        settings = Settings(bootstrap_servers=address, publish_timeout_seconds=LONG_SECONDS)
        bus = Bus(country.north, settings=settings, catalog=country.catalog)
        with pytest.raises(BusUnavailableError, match=f"no broker answers - {address}"):
            await asyncio.wait_for(bus.start(), SOON_SECONDS)
        gc.collect()
    assert [str(warning.message) for warning in heard] == []
    assert "Unclosed" not in caplog.text


async def test_a_start_at_a_silent_port_is_bounded(country: SmallCountry) -> None:
    """Something that accepts and never speaks is no broker: the start fails in `publish_timeout_seconds`."""
    callers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda reader, writer: callers.append(writer), "127.0.0.1", 0)
    address = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    settings = Settings(bootstrap_servers=address, publish_timeout_seconds=1.0)
    bus = Bus(country.north, settings=settings, catalog=country.catalog)
    try:
        with pytest.raises(BusUnavailableError):
            await asyncio.wait_for(bus.start(), SOON_SECONDS)
    finally:
        await bus._transport.stop()
        for caller in callers:
            caller.close()
        silent.close()
        await silent.wait_closed()


async def test_a_missing_topic_is_named_at_the_start(kafka_world: KafkaWorld, country: SmallCountry) -> None:
    """`TopicMissingError` says which and that `govbus topics apply` makes it, long before the time-out."""
    await delete(kafka_world, country.topic)
    bus = kafka_world.bus(country.south, publish_timeout_seconds=LONG_SECONDS)

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    async def never(event: Event[Any]) -> None:
        raise AssertionError("never called")

    with pytest.raises(TopicMissingError, match="govbus topics apply") as caught:
        await asyncio.wait_for(bus.start(), SOON_SECONDS)
    assert (caught.value.topic, caught.value.retriable) == (country.topic, False)


async def test_a_missing_topic_is_named_at_publish(kafka_world: KafkaWorld, country: SmallCountry) -> None:
    """The publisher hears the same, and can stop at once."""
    await delete(kafka_world, country.topic)
    async with kafka_world.bus(country.north, publish_timeout_seconds=LONG_SECONDS) as bus:
        with pytest.raises(TopicMissingError, match="govbus topics apply"):
            await asyncio.wait_for(bus.publish(country.opened, case(), version="1.0"), SOON_SECONDS)


async def test_a_start_with_a_missing_topic_leaves_nothing_open(
    kafka_world: KafkaWorld, country: SmallCountry
) -> None:
    """Whatever it is called, the failed start is over in time and closes its clients."""
    await delete(kafka_world, country.topic)
    bus = kafka_world.bus(country.south, publish_timeout_seconds=1.0)
    bus.subscribe(country.opened, version=1, purpose="close-cases")(_never)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with pytest.raises((TopicMissingError, BusUnavailableError)):
            await asyncio.wait_for(bus.start(), SOON_SECONDS)
        del bus
        gc.collect()
    assert [str(warning.message) for warning in heard] == []


async def _never(event: Event[Any]) -> None:
    raise AssertionError("never called")


async def delete(world: KafkaWorld, topic: str) -> None:
    """Delete a topic and wait until the cluster says that it is gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap_servers)
    try:
        await admin.start()
        await admin.delete_topics([topic])
        await until(lambda: _is_gone(admin, topic))
    finally:
        await admin.close()


async def _is_gone(admin: AIOKafkaAdminClient, topic: str) -> bool:
    return topic not in await admin.list_topics()


@pytest.fixture(scope="module")
def guarded() -> Iterator[EmbeddedKafka]:
    """Yield a node that asks for a password and denies what no ACL allows."""
    with EmbeddedKafka(sasl=True) as node:
        yield node


def with_password(node: EmbeddedKafka, password: str | None, **more: object) -> Settings:
    """Return the settings of the node's super user, with a password."""
    return Settings(
        bootstrap_servers=node.bootstrap_servers,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username=node.admin_username,
        sasl_password=password,  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


async def test_the_right_password_serves(
    guarded: EmbeddedKafka, country: SmallCountry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings from the environment publish and subscribe on a cluster that asks for SCRAM."""
    for name, value in guarded.environment().items():
        monkeypatch.setenv(name, value)
    await apply_topics(Settings(), country.catalog)
    seen: list[int] = []
    catalog = with_grant(country.catalog, country.north, country.opened, "close-cases")
    bus = Bus(country.north, catalog=catalog)

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    async def keep(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    async with bus:
        await bus.publish(country.opened, case(5), version="1.0")
        await until(lambda: seen)
    assert seen == [5]


async def test_a_wrong_password_is_no_outage(guarded: EmbeddedKafka, country: SmallCountry) -> None:
    """`AccessDeniedError`, not retriable: waiting would not help."""
    bus = Bus(country.north, settings=with_password(guarded, PASSWORD), catalog=country.catalog)
    with pytest.raises(AccessDeniedError) as caught:
        await bus.start()
    assert not caught.value.retriable


async def test_a_password_is_never_written(
    guarded: EmbeddedKafka, country: SmallCountry, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in an error, a log line, a warning or the settings' own text."""
    caplog.set_level("DEBUG", "aiokafka")
    settings = with_password(guarded, PASSWORD)
    bus = Bus(country.north, settings=settings, catalog=country.catalog)
    with pytest.raises((AccessDeniedError, BusUnavailableError)) as caught:
        await bus.start()
    with pytest.raises((AccessDeniedError, BusUnavailableError)) as refused:
        await apply_topics(settings, country.catalog)
    said = [str(settings), repr(settings), settings.model_dump_json(), repr(bus)]
    said += [str(caught.getrepr(showlocals=False)), str(refused.getrepr(showlocals=False)), caplog.text]
    assert [text for text in said if PASSWORD in text or str(guarded.admin_password) in text] == []
    assert caplog.text


async def test_no_password_is_named_by_its_variable(guarded: EmbeddedKafka, country: SmallCountry) -> None:
    """What is missing is told in the words the operator can act on."""
    bus = Bus(country.north, settings=with_password(guarded, None), catalog=country.catalog)
    with pytest.raises(UsageError, match="GOVBUS_SASL_PASSWORD"):
        await bus.start()


async def test_a_user_logs_in_with_the_password_that_was_set(guarded: EmbeddedKafka) -> None:
    """Set for many users at once; only a salted hash of each leaves the process."""
    user = with_password(guarded, PASSWORD).model_copy(update={"sasl_username": "north-office"})
    with pytest.raises(AccessDeniedError):
        async with Cluster.open(user):
            pass
    async with Cluster.open(with_password(guarded, guarded.admin_password)) as cluster:
        await cluster.set_passwords({"north-office": PASSWORD, "south-office": "another"})
    async with Cluster.open(user):
        pass


async def test_a_plain_client_at_a_guarded_node_fails_in_time(
    guarded: EmbeddedKafka, country: SmallCountry
) -> None:
    """A client that speaks without SASL hears of it soon, whatever the broker does with its connection."""
    settings = Settings(bootstrap_servers=guarded.bootstrap_servers, publish_timeout_seconds=LONG_SECONDS)
    bus = Bus(country.north, settings=settings, catalog=country.catalog)
    with pytest.raises((AccessDeniedError, BusUnavailableError)):
        await asyncio.wait_for(bus.start(), SOON_SECONDS)
