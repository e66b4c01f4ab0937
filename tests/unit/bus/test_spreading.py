"""Events go to the partitions that are in force, and wait while their number grows; nothing overtakes."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bus import Bus, BusUnavailableError, ContractViolationError, Receipt, Settings
from bus.cluster import registry
from bus.errors import PartitionMissingError, PublishManyError
from bus.testing import InMemoryBus, InMemoryCluster
from bus.topics import REGISTRY_TOPIC, partition_of
from contracts import (
    LEASE_MS,
    RegistryEntry,
    SigningKey,
    paused_growth,
    settled_growth,
    switched_growth,
)
from tests.small_catalog import SmallCountry, case
from tests.worlds import until

KEYS = [f"case-{number:04}" for number in range(40)]


class Country:
    """The small country in memory, with a registry and the operator's key; its topics have 6 partitions."""

    def __init__(self, folder: Path) -> None:
        self.small = SmallCountry(folder / "catalog")
        self.cluster = InMemoryCluster(self.small.catalog)
        self.cluster.create_topic(REGISTRY_TOPIC)
        self.cluster.delete_topic(self.small.topic)
        self.cluster.create_topic(self.small.topic, 6)
        private = Ed25519PrivateKey.generate()
        self.key = SigningKey(private)
        self.public = folder / "public.pem"
        self.public.write_bytes(
            private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def bus(self, **limits: float) -> Bus:
        """Return a bus of the publisher, which follows the registry."""
        settings = Settings(registry_public_key=self.public, **limits)  # type: ignore[arg-type]
        return InMemoryBus(self.small.north, cluster=self.cluster, settings=settings)

    def write(self, entry: RegistryEntry) -> int:
        """Write to the registry, as the operator; return the broker's time in milliseconds."""
        value = self.key.sign(entry, datetime.now(UTC), "")
        return self.cluster.append(REGISTRY_TOPIC, value, key=entry.key.encode()).timestamp

    def pause(self, turn: int = 1) -> int:
        """Pause the publishers, or renew that."""
        return self.write(paused_growth(self.small.opened, 3, 6, turn))

    def places(self) -> dict[str, list[int]]:
        """Return the partitions of each key, in the order of its events."""
        found: dict[str, list[tuple[int, int]]] = {}
        for record in self.cluster.records(self.small.topic):
            found.setdefault((record.key or b"").decode(), []).append((record.timestamp, record.partition))
        return {key: [partition for _, partition in sorted(places)] for key, places in found.items()}


@pytest.fixture
def country(tmp_path: Path) -> Country:
    """The country of a test."""
    return Country(tmp_path)


def over(partitions: int) -> dict[str, int]:
    """The partition of each key over a number of them."""
    return {key: partition_of(key.encode(), partitions) for key in KEYS}


async def _is_paused(bus: Bus, country: Country) -> None:
    await until(lambda: not bus._context.spreading.is_open(country.small.opened))


async def test_keys_are_spread_over_the_catalogues_partitions_whatever_the_topic_has(
    country: Country,
) -> None:
    """Somebody else gave it six, and the catalogue says three: no key moves."""
    async with country.bus() as bus:
        await bus.publish_many(country.small.opened, [case(1, key) for key in KEYS], version="1.0")
    assert country.places() == {key: [partition] for key, partition in over(3).items()}


async def test_a_topic_with_fewer_partitions_than_the_catalogue_is_told(country: Country) -> None:
    """No key goes where it does not belong."""
    country.cluster.delete_topic(country.small.topic)
    country.cluster.create_topic(country.small.topic, 1)
    async with country.bus() as bus:
        with pytest.raises(PublishManyError, match="apply --grow") as caught:
            await bus.publish_many(country.small.opened, [case(1, key) for key in KEYS], version="1.0")
    assert isinstance(caught.value.error, PartitionMissingError)


async def test_publishers_wait_for_the_switch_and_none_fails(country: Country) -> None:
    """Longer than they would wait for a broker: the time of a pause does not count."""
    async with country.bus(publish_timeout_seconds=0.3) as bus:
        await bus.publish(country.small.opened, case(1, KEYS[0]), version="1.0")
        country.pause()
        await _is_paused(bus, country)
        one = asyncio.create_task(bus.publish(country.small.opened, case(2, KEYS[0]), version="1.0"))
        many = asyncio.create_task(
            bus.publish_many(country.small.opened, [case(3, key) for key in KEYS], version="1.0")
        )
        done, _ = await asyncio.wait([one, many], timeout=0.7)
        assert not done
        assert country.places() == {KEYS[0]: [over(3)[KEYS[0]]]}
        country.write(switched_growth(country.small.opened, 3, 6, country.pause(2)))
        receipts = [await one, *await many]
    assert [receipt.partition for receipt in receipts] == [over(6)[KEYS[0]], *over(6).values()]


async def test_a_growth_that_is_given_up_lets_publishers_go_on(country: Country) -> None:
    """By the old count."""
    async with country.bus() as bus:
        country.pause()
        await _is_paused(bus, country)
        waiting = bus.submit(country.small.opened, case(1, KEYS[0]), version="1.0")
        country.write(settled_growth(country.small.opened, 3))
        assert (await waiting).partition == over(3)[KEYS[0]]


async def test_a_pause_ends_by_itself_where_its_operator_is_gone(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a process that starts after it; what the operator writes later changes nothing."""
    monkeypatch.setattr(registry, "LEASE_MS", 50)
    renewed_ms = country.pause() - LEASE_MS - 1
    async with country.bus() as bus:
        assert (await bus.publish(country.small.opened, case(1, KEYS[0]), version="1.0")).partition == over(
            3
        )[KEYS[0]]
        country.write(switched_growth(country.small.opened, 3, 6, renewed_ms))
        country.write(settled_growth(country.small.closed, 3))
        await until(lambda: country.small.closed in bus._context.spreading._growths)
        assert (await bus.publish(country.small.opened, case(2, KEYS[0]), version="1.0")).partition == over(
            3
        )[KEYS[0]]


async def test_what_nobody_signed_pauses_nobody(country: Country) -> None:
    """An agency may not hold up another."""
    other = SigningKey(Ed25519PrivateKey.generate())
    entry = paused_growth(country.small.opened, 3, 6, 1)
    country.cluster.append(REGISTRY_TOPIC, other.sign(entry, datetime.now(UTC), ""), key=entry.key.encode())
    async with country.bus() as bus:
        await bus.publish(country.small.opened, case(1, KEYS[0]), version="1.0")


async def test_a_transaction_that_wrote_of_the_subject_goes_on(country: Country) -> None:
    """The growth waits for it, so it must not wait for the growth; one that did not write yet waits."""
    opened = country.small.opened
    async with country.bus() as bus:
        async with bus.transaction() as transaction:
            await transaction.publish(opened, case(1, KEYS[0]), version="1.0")
            country.pause()
            await _is_paused(bus, country)
            await transaction.publish(opened, case(2, KEYS[0]), version="1.0")
        assert country.places() == {KEYS[0]: [over(3)[KEYS[0]]] * 2}
        async with bus.transaction() as transaction:
            waiting = transaction.submit(opened, case(3, KEYS[0]), version="1.0")
            await asyncio.sleep(0)
            assert not waiting.done()
            country.write(switched_growth(opened, 3, 6, country.pause(2)))
        assert (await waiting).partition == over(6)[KEYS[0]]


async def test_an_aborted_transaction_leaves_nothing_that_waits(country: Country) -> None:
    """What it held fails; nothing of it is published after the growth."""
    opened = country.small.opened
    async with country.bus() as bus:
        country.pause()
        await _is_paused(bus, country)
        waiting: list[asyncio.Future[Receipt]] = []

        async def break_off() -> None:
            async with bus.transaction() as transaction:
                waiting.append(transaction.submit(opened, case(1, KEYS[0]), version="1.0"))
                transaction.submit(opened, {"number": 1}, version="1.0")

        with pytest.raises(ContractViolationError):
            await break_off()
        with pytest.raises(BusUnavailableError):
            await waiting[0]
        country.write(settled_growth(opened, 3))
        await bus.publish(opened, case(2, KEYS[1]), version="1.0")
    assert set(country.places()) == {KEYS[1]}


async def test_a_process_that_was_suspended_looks_at_the_registry_before_it_publishes(
    country: Country,
) -> None:
    """It slept through a whole growth: by its old count, its next event would overtake the one before."""
    opened = country.small.opened
    async with country.bus() as bus:
        await bus.publish(opened, case(1, KEYS[0]), version="1.0")
        follower = bus._follower
        assert follower is not None
        assert follower._task is not None
        assert follower._reader is not None
        follower._task.cancel()
        country.write(switched_growth(opened, 3, 6, country.pause()))
        follower._heard_at -= 2 * registry.FRESH_SECONDS
        waiting = bus.submit(opened, case(2, KEYS[0]), version="1.0")
        await asyncio.sleep(0)
        assert not waiting.done()
        follower._task = asyncio.create_task(follower._run(follower._reader))
        assert (await waiting).partition == over(6)[KEYS[0]]
