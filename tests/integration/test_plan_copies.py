"""No `apply` makes a cluster of several brokers less safe, whoever runs it from whichever shell."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bus import EmbeddedKafka, Settings, apply_topics
from bus.cluster.rollout import Rollout
from bus.kafka.cluster import Cluster
from bus.topics import dead_letter_topic
from tests.granted import AUTHOR, TODAY
from tests.small_catalog import SmallCountry


@pytest.fixture(scope="module")
def two() -> Iterator[Settings]:
    """A cluster of two brokers."""
    with EmbeddedKafka(nodes=2) as nodes:
        yield Settings(bootstrap_servers=nodes.bootstrap_servers)


async def test_copies_are_added_where_they_lack_and_never_taken(
    country: SmallCountry, tmp_path: Path, two: Settings
) -> None:
    """A topic that was made by hand with one copy gets its second; fewer are refused with all else."""
    folder = tmp_path / "catalog"
    await _make(two, country.topic)
    before = await Rollout(folder, settings=two).plan(TODAY)
    assert [change.what[0] for change in before.changes if change.name == country.topic] == [
        "replicas: 1 -> 2"
    ]
    assert set(await apply_topics(two, country.catalog)) >= {dead_letter_topic(country.north)}
    await Rollout(folder, settings=two).apply(TODAY, AUTHOR)
    assert await _copies(two) == {2}
    assert (await Rollout(folder, settings=two).plan(TODAY)).changes == ()
    (folder / "cluster.yaml").write_text("replication_factor: 1\n")
    refused = await Rollout(folder, settings=two, allow_destroy=["all"]).apply(TODAY, AUTHOR)
    assert country.topic in {change.name for change in refused.refusals}
    assert await _copies(two) == {2}


async def test_every_broker_is_asked_how_long_it_keeps_offsets(two: Settings) -> None:
    """Each keeps those of some groups; the setting of one says nothing of the other."""
    async with Cluster.open(two) as cluster:
        found = await cluster.observe()
    assert found.offsets_retention_minutes == {1: 2**31 - 1, 2: 2**31 - 1}


async def _make(settings: Settings, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    try:
        await admin.start()
        await admin.create_topics([NewTopic(topic, 3, 1)])
    finally:
        await admin.close()


async def _copies(settings: Settings) -> set[int]:
    async with Cluster.open(settings) as cluster:
        return {topic.replicas for topic in (await cluster.topics()).topics.values()}
