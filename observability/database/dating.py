"""Topics that kept the times of their publishers, and from which offset on they have the broker's."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select

from bus import TopicPartition
from observability.database.schema import dated_from, undated_topics
from observability.evidence.dating import Dating


def read_dating(connection: Connection) -> Dating:
    """Return what was kept."""
    places = connection.execute(select(dated_from))
    return Dating(
        frozenset(connection.execute(select(undated_topics.c.topic)).scalars()),
        {TopicPartition(row.topic, row.partition): row.offset for row in places},
    )


def keep_dating(connection: Connection, seen: Dating, dropped: Collection[TopicPartition] = ()) -> Dating:
    """Keep what a monitor saw, and return all that is known; what another one saw first counts.

    Args:
        connection: of the write.
        seen: what it saw.
        dropped: places that have the broker's time no more.
    """
    for topic, partition in dropped:
        connection.execute(
            delete(dated_from).where(dated_from.c.topic == topic, dated_from.c.partition == partition)
        )
    known = read_dating(connection)
    if topics := sorted(seen.topics - known.topics):
        connection.execute(insert(undated_topics), [{"topic": topic} for topic in topics])
    if places := [
        {"topic": place.topic, "partition": place.partition, "offset": offset}
        for place, offset in seen.since.items()
        if place not in known.since
    ]:
        connection.execute(insert(dated_from), places)
    return Dating(known.topics | seen.topics, {**seen.since, **known.since})
