"""Handling a window of events again, by the same handler, in a process and a group of its own.

Law of this file: the live group is not touched. Who asked, who approved, the reason and the offsets are in
the agency's audit topic before the first event is handled. An interrupted replay continues under its id.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

import orjson

from bus.deliver.retry import RetryPolicy
from bus.deliver.subscription import Subscription
from bus.errors import UsageError
from bus.record import Record, TopicPartition
from bus.standing import CommittedOffset
from bus.table import deliver
from bus.topics import REPLAY, audit_topic, group_of
from bus.transport import Transport

if TYPE_CHECKING:
    from bus.bus import Bus

LOOK_SECONDS = 0.1
GIVE_UP_AT_ONCE = RetryPolicy((), unavailable_forever=False, when_exhausted="release")

Offsets = Mapping[TopicPartition, tuple[int, int]]
"""First offset of each partition, and the one behind the last."""


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """A window to handle again, who asked for it, and who approved it.

    Attributes:
        id: Names the replay; the same id continues an interrupted one.
        since: From which broker time (aware), inclusive.
        until: Up to which broker time, exclusive; what comes later is never read.
        by: Who asks for it.
        approved_by: Who approved it; not the same person.
        why: The reason; no data.
        rate: Events per second at most.
    """

    id: str
    since: datetime
    until: datetime
    by: str
    approved_by: str
    why: str
    rate: float = 200.0

    def require_sound(self) -> None:
        """Raise `UsageError` if a name or the reason is missing, or both names are the same."""
        if not (self.by.strip() and self.approved_by.strip() and self.why.strip()):
            raise UsageError(
                "Expected who asks, who approved and why, got nothing - at `by`, `approved-by` or `why`"
            )
        if self.by.strip().casefold() == self.approved_by.strip().casefold():
            raise UsageError("Expected the approval of another person - at `approved-by`")
        if self.since >= self.until or self.rate <= 0:
            raise UsageError(
                "Expected a window that ends after it begins and a rate above 0, got another - at a replay"
            )


async def window(transport: Transport, subscription: Subscription, request: ReplayRequest) -> Offsets:
    """Return the offsets of a window in every topic of a subscription; nothing is read.

    Raises:
        BusError: the cluster does not answer.
    """
    found: dict[TopicPartition, tuple[int, int]] = {}
    for topic in subscription.expected:
        first = await transport.offsets_at(topic, _milliseconds(request.since))
        last = await transport.offsets_at(topic, _milliseconds(request.until))
        found |= {place: (first[place], last[place]) for place in first}
    return found


def _milliseconds(when: datetime) -> int:
    return int(when.timestamp() * 1000)


def of_replay(subscription: Subscription, request: ReplayRequest) -> Subscription:
    """Return the subscription of a replay: a name, group and receipts of its own, and no retries.

    An event that fails becomes a dead letter of the replay at once; the live subscription does not wait.
    """
    name = f"{subscription.name}{REPLAY}{request.id}"
    return replace(
        subscription,
        name=name,
        group=group_of(subscription.agency, name),
        handler=_paced(subscription.handler, request.rate),
        retry=GIVE_UP_AT_ONCE,
        replay=request.id,
    )


def _paced(handler: Callable[[Any], Awaitable[Any]], rate: float) -> Callable[[Any], Awaitable[Any]]:
    turn, next_at = asyncio.Lock(), 0.0

    async def paced(event: Any) -> Any:
        nonlocal next_at
        async with turn:
            now = monotonic()
            next_at = max(next_at, now) + 1 / rate
            await asyncio.sleep(next_at - 1 / rate - now)
        return await handler(event)

    return paced


async def replay(bus: "Bus", name: str, request: ReplayRequest) -> int:
    """Handle a window again by the handler of a bus that is not started; return the number of events.

    Args:
        bus: the agency's bus, with its subscriptions.
        name: the subscription.
        request: what is read again, who asked for it, and who approved it.

    Raises:
        UsageError: there is no such subscription, or the request is not valid.
        BusError: the cluster does not answer; the same id continues later.
    """
    request.require_sound()
    subscription = of_replay(bus.subscription(name), request)
    await bus.transport.start()
    try:
        offsets = await _begun(bus, subscription, request)
        await bus.transport.stop()
        bus.read_only(replace(subscription, ends={place: end for place, (_, end) in offsets.items()}))
        async with bus:
            while bus.serving and not bus.has_read_all:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(LOOK_SECONDS)
            count = sum(end - start for start, end in offsets.values())
            await _audit(bus, request, name, "ended", offsets)
            return count
    finally:
        await bus.transport.stop()


async def _begun(bus: "Bus", subscription: Subscription, request: ReplayRequest) -> Offsets:
    """Return the offsets of a replay: those in the audit under its id, else new ones, now in the audit."""
    topic = audit_topic(bus.agency)
    told = [_told(record) for record in await bus.transport.read_all(topic)]
    acts = {str(said.get("act")): said for said in told if said.get("id") == request.id}
    if (said := acts.get("replay-begun")) is not None:
        if (other := said["subscription"]) != subscription.name:
            raise UsageError(f"Expected an unused id, got that of a replay of `{other}` - at `id`")
        if "replay-ended" in acts:
            raise UsageError(f"Expected an interrupted replay, got `{request.id}`, which has ended - at `id`")
        return {
            TopicPartition(str(where), int(number)): (int(start), int(end))
            for where, number, start, end in said["offsets"]
        }
    offsets = await window(bus.transport, subscription, request)
    # The group first: a replay in the audit is continued, and must not begin at the earliest event.
    ids = await bus.transport.topic_ids({place.topic for place in offsets})
    now_us = bus.transport.clock.now_us()
    begins = {
        place: CommittedOffset(start, ids.get(place.topic, ""), now_us)
        for place, (start, _) in offsets.items()
    }
    await bus.transport.preset(subscription.group, begins)
    await _audit(bus, request, subscription.name, "begun", offsets)
    return offsets


def _told(record: Record) -> dict[str, Any]:
    """Return what a record of the audit tells; nothing if another program has written it."""
    try:
        said = orjson.loads(record.value or b"")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


async def _audit(bus: "Bus", request: ReplayRequest, name: str, what: str, offsets: Offsets) -> None:
    said = {
        "act": f"replay-{what}", "id": request.id, "subscription": name, "by": request.by,
        "approved_by": request.approved_by, "why": request.why, "since": request.since,
        "until": request.until, "at": datetime.now(UTC),
        "offsets": [(*place, *window) for place, window in offsets.items()],
    }  # fmt: skip
    await deliver(bus.transport, audit_topic(bus.agency), request.id.encode(), orjson.dumps(said))
