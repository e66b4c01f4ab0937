"""Reading topics as they grow, without a trace in the cluster: no group, no receipt, no position.

Law of this file: who sees personal data is in the agency's audit topic before the first event is shown.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol

import orjson

from bus.errors import AccessDeniedError, BusUnavailableError, UsageError
from bus.grants.rule import readable_fields, remedy
from bus.grants.topics import expectations
from bus.kafka.consumer import open_reader
from bus.kafka.one_off_reads import OneOffReads
from bus.kafka.transport import KafkaTransport
from bus.process.outage import Outage
from bus.record import Record, TopicPartition
from bus.settings import Settings
from bus.stages.decode import Expected
from bus.table import deliver
from bus.topics import audit_topic
from bus.transport import Consumer
from contracts import Catalog, ContractVersion, Mask

LOOK_SECONDS = 0.2
RECORDS_AT_ONCE = 200
AWAY_SECONDS = 1.0
"""How long to wait for a cluster that is away before it is tried again."""

_TYPE = re.compile(r".+\.v[1-9][0-9]{0,3}")

Begin = datetime | str
"""Where to begin: at a broker time (aware), the first record (`start`), or behind the last one (`end`)."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks.

    Attributes:
        agency: for which agency; empty where nobody says, as an administrator.
        data: whether personal data is to be seen.
        by: who asks for that.
        why: the reason; no data.
    """

    agency: str = ""
    data: bool = False
    by: str = ""
    why: str = ""

    def require_sound(self, catalog: Catalog) -> None:
        """Raise `UsageError` if the agency is unknown, or a name or reason for seeing data is missing."""
        if self.agency and self.agency not in catalog.agencies:
            raise UsageError(f"Expected an agency of the catalogue, got `{self.agency}` - at `--agency`")
        if self.data and not (self.agency and self.by.strip() and self.why.strip()):
            raise UsageError(
                "Expected for which agency, and why, personal data is seen, got nothing - at `--agency` or "
                "`--why`. Both are kept in the agency's audit"
            )


def topics_for(catalog: Catalog, names: Sequence[str], viewer: Viewer, today: date) -> dict[str, Expected]:
    """Return what each topic of some events holds: of all major versions, or of the one that is named.

    Args:
        catalog: the contracts.
        names: events, `<agency>.<event>` or `<agency>.<event>.v<major>`.
        viewer: who looks; the topics that the grants of its agency are for.
        today: the date on which grants must be in force.

    Raises:
        ContractError: the catalogue has no such event or version.
        AccessDeniedError: the agency has no grant for an event.
    """
    found: dict[str, Expected] = {}
    for name in names:
        is_type = name not in catalog.contracts and _TYPE.fullmatch(name) is not None
        contract = catalog.by_type(name).contract if is_type else catalog.contract(name)
        majors = (
            [int(name.rpartition(".v")[2])] if is_type else sorted({each.major for each in contract.versions})
        )
        topics = {contract.version(each).type: each for each in majors}
        readable = [
            topic
            for topic in topics
            if not viewer.agency or readable_fields(catalog, topic, viewer.agency, today)
        ]
        if not readable:
            raise AccessDeniedError(
                f"Expected a grant to read `{name}`, got none of the catalogue - of agency "
                f"`{viewer.agency}`. {remedy(catalog, contract.subject, viewer.agency)}"
            )
        for topic in readable:
            found[topic] = expectations(catalog, contract.subject, topics[topic], today)[topic]
    return found


def masks_for(
    catalog: Catalog, expected: Mapping[str, Expected], viewer: Viewer, today: date
) -> dict[ContractVersion, Mask]:
    """Return what is hidden of each version that the topics may hold."""
    masks = {}
    for topic, holds in expected.items():
        fields = readable_fields(catalog, topic, viewer.agency, today) if viewer.agency else frozenset({"$"})
        for version in holds.versions.values():
            masks[version] = Mask(version, fields, personal=viewer.data)
    return masks


class Showing(Protocol):
    """Takes what is read."""

    async def begun(self, begins: Mapping[TopicPartition, int]) -> None:
        """Called with the offsets at which it begins, before the first record."""

    def show(self, record: Record) -> None:
        """Show one record, if it is to be shown."""

    def is_over(self) -> bool:
        """Whether nothing more is to be read; asked before each record, and at least five times a second."""


async def follow(
    settings: Settings, topics: Collection[str], begin: Begin, showing: Showing, *, follows: bool = True
) -> None:
    """Show each committed record of topics, those of one poll by their broker time, until it is over.

    Args:
        settings: the cluster.
        topics: the topics.
        begin: where to begin.
        showing: takes each record.
        follows: whether to wait for what comes; else it is over behind what is there now.

    Raises:
        TopicMissingError: a topic is not there.
        AccessDeniedError: the cluster lets this user not read one.
        BusUnavailableError: no broker answers at the start; later ones are waited for.
    """
    begins, ends = await _window(settings, topics, begin)
    await showing.begun(begins)
    rest = {place: end for place, end in ends.items() if begins[place] < end}
    if not follows and not rest:
        return
    outage = Outage("the cluster")
    async with open_reader(settings, begins) as reader:
        while not showing.is_over():
            for record in await _next(reader, outage):
                is_wanted = follows or record.offset < ends[TopicPartition(record.topic, record.partition)]
                if is_wanted and not showing.is_over():
                    showing.show(record)
            if not follows:
                rest = {place: end for place, end in rest.items() if await reader.position(place) < end}
                if not rest:
                    return


async def _next(reader: Consumer, outage: Outage) -> list[Record]:
    """Return what comes within a moment, by its time; nothing while the cluster is away."""
    try:
        found = await reader.poll(LOOK_SECONDS, RECORDS_AT_ONCE)
    except BusUnavailableError as error:
        outage.begins(error)
        await asyncio.sleep(AWAY_SECONDS)
        return []
    outage.ends()
    return sorted((record for some in found.values() for record in some), key=lambda one: one.timestamp)


async def _window(
    settings: Settings, topics: Collection[str], begin: Begin
) -> tuple[dict[TopicPartition, int], Mapping[TopicPartition, int]]:
    reads = OneOffReads(settings)
    try:
        places = [place for topic in sorted(topics) for place in await reads.places(topic)]
        ends = await reads.ends(places)
        if begin == "end":
            return dict(ends), ends
        if begin == "start":
            return dict(await reads.begins(places)), ends
        assert isinstance(begin, datetime)  # noqa: S101 - the only other
        at = await reads.offsets_at(dict.fromkeys(places, max(0, int(begin.timestamp() * 1000))))
        return dict(at), ends
    finally:
        await reads.close()


@asynccontextmanager
async def audited(
    settings: Settings, viewer: Viewer, said: Mapping[str, Any]
) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[None]]]:
    """Write to the agency's audit what is looked at, where personal data is seen; nothing otherwise.

    Args:
        settings: the cluster.
        viewer: who looks.
        said: what is looked at, without any value.

    Raises:
        BusError: it cannot be written; nothing is shown.
    """

    async def write(what: str, more: Mapping[str, Any]) -> None:
        if viewer.data:
            line = {
                "act": f"tail-{what}", "agency": viewer.agency, "by": viewer.by, "why": viewer.why,
                "at": datetime.now(UTC), **said, **more,
            }  # fmt: skip
            key = viewer.by.encode()
            await deliver(transport, audit_topic(viewer.agency), key, orjson.dumps(line))

    if not viewer.data:
        yield write
        return
    transport = KafkaTransport(settings)
    await transport.start()
    try:
        yield write
    finally:
        await transport.stop()
