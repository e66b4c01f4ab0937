"""Who has the wrong certificate, or none, is refused at once and told why; it is no outage."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream import FastStream

from bus import (
    AccessDeniedError,
    Bus,
    BusError,
    EmbeddedKafka,
    Settings,
    UsageError,
    apply_topics,
    open_consumer,
)
from bus.embedded.errors import NodeError
from bus.embedded.tls import Authority, ClientCertificate
from bus.kafka.client import connection
from contracts import Catalog
from tests.granted import PASSWORD, GuardedCountry
from tests.interruptions import TRIALS, Interruption, at_each_wait
from tests.small_catalog import SmallCountry, case
from tests.worlds import PATIENCE_SECONDS


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A Kafka that knows its clients by their certificates."""
    with EmbeddedKafka(tls=tmp_path_factory.mktemp("tls")) as node:
        yield node


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A Kafka that asks for passwords, within TLS."""
    with EmbeddedKafka(tls=tmp_path_factory.mktemp("tls"), sasl=True) as node:
        yield node


@pytest.fixture
def stranger(tmp_path: Path) -> ClientCertificate:
    """A certificate for the name `admin` of an authority of somebody else."""
    return Authority.open(tmp_path / "elsewhere").for_client("admin")


def _settings(node: EmbeddedKafka, **more: Any) -> Settings:
    access = {name.removeprefix("GOVBUS_").lower(): value for name, value in node.environment().items()}
    return Settings.model_validate({"publish_timeout_seconds": 10.0, **access, **more})


async def _refusal(settings: Settings) -> BusError:
    with pytest.raises(BusError) as caught:
        async with open_consumer(settings, group="readers", topics=["any"]):
            pass
    assert not caught.value.retriable
    return caught.value


async def test_no_certificate_is_refused(certified: EmbeddedKafka) -> None:
    """The message names the variables to set."""
    error = await _refusal(_settings(certified, ssl_certfile=None, ssl_keyfile=None))
    assert isinstance(error, AccessDeniedError)
    assert "GOVBUS_SSL_CERTFILE" in str(error)


async def test_a_certificate_of_another_authority_is_refused(
    certified: EmbeddedKafka, stranger: ClientCertificate
) -> None:
    """Even in the super user's name."""
    shown = {"ssl_certfile": stranger.certfile, "ssl_keyfile": stranger.keyfile}
    error = await _refusal(_settings(certified, **shown))
    assert isinstance(error, AccessDeniedError)
    assert "certificate of its authority" in str(error)


async def test_a_broker_of_another_authority_is_not_spoken_to(
    certified: EmbeddedKafka, both: EmbeddedKafka, stranger: ClientCertificate
) -> None:
    """It hears neither an event nor a password."""
    for node in (certified, both):
        error = await _refusal(_settings(node, ssl_cafile=stranger.cafile))
        assert isinstance(error, UsageError)
        assert "GOVBUS_SSL_CAFILE" in str(error)


async def test_a_certificate_is_of_no_use_without_its_key(
    certified: EmbeddedKafka, stranger: ClientCertificate
) -> None:
    """The client says so itself."""
    error = await _refusal(_settings(certified, ssl_keyfile=stranger.keyfile))
    assert isinstance(error, UsageError)
    assert "GOVBUS_SSL_KEYFILE" in str(error)


async def test_a_certificate_is_no_password(both: EmbeddedKafka, stranger: ClientCertificate) -> None:
    """Where passwords are asked for, a certificate opens nothing, and a wrong one closes all."""
    admin = both.certificate("admin")
    wrong = await _refusal(
        _settings(both, sasl_password="guess", ssl_certfile=admin.certfile, ssl_keyfile=admin.keyfile)
    )
    assert isinstance(wrong, AccessDeniedError)
    assert "user and password" in str(wrong)
    shown = {"ssl_certfile": stranger.certfile, "ssl_keyfile": stranger.keyfile}
    assert isinstance(await _refusal(_settings(both, **shown)), AccessDeniedError)


async def test_a_password_within_tls_needs_no_certificate(both: EmbeddedKafka, tmp_path: Path) -> None:
    """The password says who it is."""
    catalog = SmallCountry(tmp_path / "catalog").catalog
    assert await apply_topics(_settings(both, ssl_certfile=None, ssl_keyfile=None), catalog)


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
async def test_plain_text_at_an_encrypted_broker_is_named(certified: EmbeddedKafka, protocol: str) -> None:
    """The message names the variable that is wrong."""
    settings = _settings(certified, security_protocol=protocol, sasl_username="x", sasl_password=PASSWORD)
    error = await _refusal(settings)
    assert isinstance(error, UsageError)
    assert re.search(f"got {protocol} - at GOVBUS_SECURITY_PROTOCOL", str(error))


async def test_a_password_at_a_broker_that_asks_for_none_is_named(certified: EmbeddedKafka) -> None:
    """It is not sent."""
    settings = _settings(certified, security_protocol="SASL_SSL", sasl_username="x", sasl_password=PASSWORD)
    error = await _refusal(settings)
    assert isinstance(error, UsageError)
    assert "GOVBUS_SECURITY_PROTOCOL" in str(error)


@pytest.mark.parametrize("trial", TRIALS)
async def test_an_interrupted_handshake_leaves_no_connection(
    certified: EmbeddedKafka, trial: Callable[[Settings, Interruption], Awaitable[None]]
) -> None:
    """At whatever moment it is interrupted."""
    assert await at_each_wait(partial(trial, _settings(certified))) > 1


async def test_another_agencys_certificate_opens_only_that_agencys_doors(
    certified: EmbeddedKafka, tmp_path: Path
) -> None:
    """What the program calls itself counts for nothing."""
    country = GuardedCountry(tmp_path / "catalog", certified)
    await country.apply()
    catalog = Catalog.open(country.folder)
    async with Bus(country.north, settings=country.settings(country.north), catalog=catalog) as north:
        await north.publish(country.opened, case(), version="1.0")
    with pytest.raises(BusError) as caught:
        async with Bus(country.north, settings=country.settings(country.south), catalog=catalog) as false:
            await false.publish(country.opened, case(), version="1.0")
    assert not caught.value.retriable
    group = f"{country.north}.readers"
    with pytest.raises(AccessDeniedError):
        async with open_consumer(
            country.settings(country.south), group=group, topics=[country.topic]
        ) as consumer:
            await consumer.poll(0.1, 1)


def test_a_node_without_tls_issues_no_certificate() -> None:
    """It has no authority."""
    with EmbeddedKafka() as node, pytest.raises(NodeError, match="without `tls`"):
        node.certificate("north")


def test_the_authority_of_a_folder_stays(tmp_path: Path) -> None:
    """Certificates of before are good after a restart, and a broken authority is not replaced in silence."""
    first = Authority.open(tmp_path).for_client("north").cafile.read_bytes()
    assert Authority.open(tmp_path).for_client("south").cafile.read_bytes() == first
    (tmp_path / "ca.key.pem").write_text("broken")
    with pytest.raises(NodeError, match="remove both for new ones"):
        Authority.open(tmp_path)


async def test_a_mounted_bus_keeps_login_and_tls(both: EmbeddedKafka, tmp_path: Path) -> None:
    """FastStream's own subscriber and publisher, on topics that no catalogue has, connect as the bus does."""
    country = SmallCountry(tmp_path / "catalog")
    settings = _settings(both)
    await apply_topics(settings, country.catalog)
    topic = f"own-{country.north}"
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    got: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
    broker = Bus(country.north, settings=settings, catalog=country.catalog).as_broker()

    @broker.subscriber(topic, auto_offset_reset="earliest")
    async def take(message: dict[str, int]) -> None:
        got.set_result(message)

    application = FastStream(broker)
    await application.start()
    try:
        await broker.publish({"number": 7}, topic)
        assert await asyncio.wait_for(got, PATIENCE_SECONDS) == {"number": 7}
    finally:
        await application.stop()
