"""A table holds what its topic holds, also what another process wrote, once it is read again."""

from pathlib import Path

from bus import checkpoints_topic
from bus.testing import InMemoryBus, InMemoryCluster
from tests.small_catalog import SmallCountry

KEY = "register/0"


async def test_what_another_process_wrote_is_seen_once_the_topic_is_read_again(tmp_path: Path) -> None:
    """As a new owner of a source does before it reads its checkpoint."""
    country = SmallCountry(tmp_path)
    cluster = InMemoryCluster(country.catalog)
    async with (
        InMemoryBus(country.north, cluster=cluster) as ours,
        InMemoryBus(country.north, cluster=cluster) as theirs,
    ):
        table = ours.table(checkpoints_topic(country.north))
        await table.put(KEY, b"1")
        assert await table.get(KEY) == b"1"
        await theirs.table(table.topic).put(KEY, b"2")
        assert await table.get(KEY) == b"1"
        await table.reread()
        await table.put("other/0", b"3")
        assert [await table.get(KEY), await table.get("other/0")] == [b"2", b"3"]
