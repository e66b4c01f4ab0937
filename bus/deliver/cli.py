"""`govbus subscriptions`: how far an agency's subscriptions are, and an operator's word where to go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Literal

import click
import orjson

from bus.deliver.places import mark_key, mark_value, read_marks
from bus.deliver.start import Mark
from bus.errors import UsageError
from bus.kafka.transport import KafkaTransport
from bus.record import TopicPartition
from bus.settings import Settings, login
from bus.table import deliver
from bus.topics import audit_topic, checkpoints_topic
from bus.transport import Transport
from contracts import AGENCY_NAME, say

Begin = Literal["recorded", "start", "end"]


@click.group()
def subscriptions() -> None:
    """List how far subscriptions are, and say where one goes on."""


@asynccontextmanager
async def _connected() -> AsyncIterator[Transport]:
    transport = KafkaTransport(Settings())
    await transport.start()
    try:
        yield transport
    finally:
        await transport.stop()


@subscriptions.command("list")
@click.option("--agency", type=AGENCY_NAME, metavar="NAME", required=True, help="The agency.")
def list_command(agency: str) -> int:
    """List how far each subscription is by the agency's own marks, which survive the offsets of its group."""

    async def read() -> dict[tuple[str, TopicPartition], Mark]:
        async with _connected() as transport:
            return read_marks(await transport.read_all(checkpoints_topic(agency)))

    for (name, place), mark in sorted(asyncio.run(read()).items()):
        at = datetime.fromtimestamp(mark.at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
        word = ", an operator's word" if mark.by_operator else ""
        say(f"{name}  {place.topic}/{place.partition}  next {mark.offset}  {at}{word}")
    return 0


@subscriptions.command("go-on")
@click.argument("name")
@click.option("--agency", type=AGENCY_NAME, metavar="NAME", required=True, help="The agency.")
@click.option(
    "--from", "begin", type=click.Choice(["recorded", "start", "end"]), required=True,
    help="Where its own mark is, at the first record, or behind the last one.",
)  # fmt: skip
@click.option("--by", default=login, help="Your name in the audit; GOVBUS_OPERATOR or your login.")
@click.option("--why", required=True, help="The reason, for the audit; no data.")
def go_on_command(name: str, agency: str, begin: Begin, by: str, why: str) -> int:
    """Say where a subscription goes on, which has halted since the offsets of its group are gone."""

    async def act() -> int:
        async with _connected() as transport:
            return await go_on(transport, agency, name, begin=begin, by=by, why=why)

    say(f"{name} goes on in {asyncio.run(act())} partitions")
    return 0


async def go_on(transport: Transport, agency: str, name: str, *, begin: Begin, by: str, why: str) -> int:
    """Say where a subscription goes on in the partitions that it knows; return how many these are.

    A running subscription that has halted goes on within seconds; one that has not halted stays where it is
    until it starts again.

    Args:
        transport: a started connection with the agency's rights.
        agency: the agency.
        name: the subscription.
        begin: at its own mark, at the first record, or behind the last one.
        by: who says so.
        why: the reason; no data.

    Raises:
        UsageError: the agency has no such subscription, or a name or reason is missing.
        BusError: it could not be written; repeat it.
    """
    if not by.strip() or not why.strip():
        raise UsageError("Expected who acts and why, got nothing - at `by` and `why`")
    topic = checkpoints_topic(agency)
    marks = read_marks(await transport.read_all(topic))
    known = {place: mark for (whose, place), mark in marks.items() if whose == name}
    if not known:
        names = ", ".join(sorted({whose for whose, _ in marks})) or "none"
        raise UsageError(f"Expected a subscription that has handled events ({names}), got `{name}`")
    ids = await transport.topic_ids({place.topic for place in known})
    ends: dict[TopicPartition, int] = {}
    for read in {place.topic for place in known} & ids.keys():
        ends |= await transport.ends(read)
    words: dict[TopicPartition, Mark] = {}
    for place, mark in known.items():
        if place in ends:
            same = mark.topic_id == ids[place.topic]
            recorded = mark.offset if same else 0
            offset = {"recorded": recorded, "start": 0, "end": ends[place]}[begin]
            words[place] = Mark(ids[place.topic], offset, transport.clock.now_us(), by_operator=True)
    said = {
        "act": "subscription-go-on", "agency": agency, "subscription": name, "from": begin, "by": by,
        "why": why, "at": datetime.now(UTC),
        "offsets": [(*place, mark.topic_id, mark.offset) for place, mark in words.items()],
    }  # fmt: skip
    await deliver(transport, audit_topic(agency), name.encode(), orjson.dumps(said))
    for place, mark in words.items():
        await deliver(transport, topic, mark_key(name, place), mark_value(mark), partition=0)
    return len(words)
