"""Who reads an event, how far each group is, and what it holds parked: what a growth waits for."""

from collections.abc import Collection, Iterable

from bus.cluster.growing import Holders
from bus.errors import TopicMissingError
from bus.kafka.groups import Groups
from bus.parking.rows import read_row
from bus.record import Record, TopicPartition
from bus.topics import REPLAY, group_of, parked_topic, topic_of
from bus.transport import Transport
from contracts import Catalog


class Readers:
    """The groups that read the topics of one event.

    A group counts once it has committed an offset there, or the catalogue names it and it exists, also if
    none of its processes runs now: it would read on later. That of a replay does not: it reads what is past.
    """

    def __init__(self, groups: Groups, transport: Transport, catalog: Catalog, subject: str) -> None:
        self._groups = groups
        self._transport = transport
        self._agencies = frozenset(catalog.agencies)
        majors = {version.major for version in catalog.contract(subject).versions}
        self._topics = [topic_of(subject, major) for major in sorted(majors)]
        self._read_to: dict[TopicPartition, int] = {}
        self._parked: dict[str, frozenset[bytes]] = {}
        self._declared = {
            group_of(grant.consumer, name): {topic_of(subject, grant.major)}
            for (_, name), grant in catalog.subscriptions.items()
            if grant.subject == subject
        }

    async def holders(self) -> Holders:
        """Return who holds a growth up now.

        Raises:
            BusError: the cluster cannot be reached, or does not allow it.
        """
        ends: dict[TopicPartition, int] = {}
        for topic in self._topics:
            ends |= await self._transport.ends(topic)
        behind: dict[str, int] = {}
        for group, committed in (await self._groups.positions(self._topics)).items():
            topics = {place.topic for place in committed} | self._declared.get(group, set())
            if topics and REPLAY not in group:
                gaps = {
                    place: (committed.get(place, 0), ends[place]) for place in ends if place.topic in topics
                }
                behind[group] = await self._groups.unread(gaps)
        # Looked at after the offsets: the row of a parked event is there before its offset is committed.
        agencies = {group.partition(".")[0] for group in behind} & self._agencies
        parked = {agency: rows for agency in agencies if (rows := await self._look(agency))}
        named = [f"group `{group}` is {_events(count)} behind" for group, count in behind.items() if count]
        named += [f"`{agency}` holds {_events(len(rows))} parked" for agency, rows in parked.items()]
        return Holders(
            tuple(ends[place] for place in sorted(ends)),
            max(behind.values(), default=0),
            frozenset().union(*parked.values()),
            tuple(sorted(named)),
        )

    async def _look(self, agency: str) -> frozenset[bytes]:
        """Return what an agency holds parked; read on from where the last look ended."""
        try:
            bounds = await self._transport.bounds(parked_topic(agency))
        except TopicMissingError:
            return frozenset()
        windows = {
            place: (max(first, self._read_to.get(place, 0)), end) for place, (first, end) in bounds.items()
        }
        rows = [row async for row in self._transport.read(windows)]
        self._parked[agency] = parked_of(rows, self._topics, self._parked.get(agency, frozenset()))
        self._read_to |= {place: end for place, (_, end) in windows.items()}
        return self._parked[agency]


def parked_of(
    rows: Iterable[Record], topics: Collection[str], before: frozenset[bytes] = frozenset()
) -> frozenset[bytes]:
    """Return the keys of the rows of an agency's parked events of some topics. Pure.

    Args:
        rows: those that came since.
        topics: the topics.
        before: the keys of those before.
    """
    latest = {row.key or b"": read_row(row) for row in rows}
    return before - latest.keys() | {
        key
        for key, row in latest.items()
        if row is not None and row.event is not None and row.home.partition.topic in topics
    }


def _events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"
