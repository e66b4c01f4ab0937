"""Where one subscription begins in its partitions, and the marks by which it knows that later.

Law of this file: the offsets of a group may expire, or be moved by somebody else; the mark in the agency's
own topic of checkpoints stays. Whatever is gone, comes again or waits is said once: in the log and in a
receipt.

Wire format: the key of a mark is `subscription/<name>/<topic>/<partition>`, its value JSON.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from time import monotonic

import orjson

from bus.deliver.start import Mark, Start, needs_mark, start_of
from bus.deliver.subscription import Subscription
from bus.errors import UsageError
from bus.outcome import DISPLACED, HALTED, RESUMED, DeliveryOutcome, Reason
from bus.receipts.receipts import (
    DELIVERY_COMMON,
    DELIVERY_ROW,
    DeliveryReceipt,
    partition_of_transaction,
)
from bus.receipts.writer import ReceiptLog
from bus.record import Record, TopicPartition
from bus.standing import Standing
from bus.table import deliver
from bus.times.clock import BrokerClock
from bus.topics import checkpoints_topic
from bus.transport import Transport
from contracts import visible_logger

logger = visible_logger("govbus.subscriber")

MARK_SECONDS = 60.0
"""How often a mark follows what is committed; it follows at once where a partition leaves."""
MOST = 2**31 - 1
PREFIX = "subscription"
_common = attrgetter(*DELIVERY_COMMON)
_row = attrgetter(*DELIVERY_ROW)
REMEDY = {
    True: "it waits for an operator: `govbus subscriptions go-on`",
    False: "it goes on",
}


def mark_key(name: str, place: TopicPartition) -> bytes:
    """Return the key of the mark of a subscription in a partition."""
    return f"{PREFIX}/{name}/{place.topic}/{place.partition}".encode()


def mark_value(mark: Mark) -> bytes:
    """Return a mark as it is kept."""
    return orjson.dumps(
        {"topic_id": mark.topic_id, "offset": mark.offset, "at_us": mark.at_us, "operator": mark.by_operator}
    )


def read_marks(records: Iterable[Record]) -> dict[tuple[str, TopicPartition], Mark]:
    """Return the latest mark of each subscription and partition; whatever is no mark is passed over."""
    found: dict[tuple[str, TopicPartition], Mark] = {}
    for record in records:
        try:
            prefix, _, rest = (record.key or b"").decode().partition("/")
            name, topic, partition = rest.rsplit("/", 2)
            if prefix == PREFIX:
                said = orjson.loads(record.value or b"")
                found[name, TopicPartition(topic, int(partition))] = Mark(
                    str(said["topic_id"]), int(said["offset"]), int(said["at_us"]), bool(said["operator"])
                )
        except (KeyError, TypeError, ValueError):
            continue
    return found


class Places:
    """The places of one subscription.

    Args:
        subscription: whose.
        transport: the cluster.
        receipts: take what is said about a place.
    """

    def __init__(self, subscription: Subscription, transport: Transport, receipts: ReceiptLog) -> None:
        self._subscription = subscription
        self._transport = transport
        self._receipts = receipts
        self._topic = checkpoints_topic(subscription.agency)
        self._said: set[tuple[TopicPartition, Reason | None, int]] = set()
        self._committed: dict[TopicPartition, tuple[str, int]] = {}
        self._marked: dict[TopicPartition, tuple[str, int]] = {}
        self._marked_at = -MARK_SECONDS

    @property
    def _clock(self) -> BrokerClock:
        return self._transport.clock

    async def starts(self, standings: Mapping[TopicPartition, Standing]) -> dict[TopicPartition, Start]:
        """Return where to begin in partitions, and say what is not as it was.

        Raises:
            UsageError: a replay whose place is gone.
            BusError: the marks cannot be read, or a receipt cannot be written.
        """
        subscription = self._subscription
        marks: dict[tuple[str, TopicPartition], Mark] = {}
        if any(needs_mark(standing) for standing in standings.values()) and subscription.replay is None:
            marks = read_marks(await self._transport.read_all(self._topic))
        found = {
            place: start_of(
                standing, marks.get((subscription.name, place)), exactly_once=subscription.exactly_once
            )
            for place, standing in standings.items()
        }
        for place, start in found.items():
            if subscription.replay is not None and (start.why or standings[place].committed is None):
                raise UsageError(
                    "Expected the offsets that the replay began with, got none of this topic - "
                    f"{place.topic}. Replay under a new id"
                )
            self._marked.pop(place, None)
            self._say(place, start)
        await self._receipts.flush()
        return found

    def _say(self, place: TopicPartition, start: Start) -> None:
        said = place, start.why, start.since_us if start.by_operator else start.was
        if (start.why is None and not start.by_operator) or said in self._said:
            return
        self._said.add(said)
        if start.by_operator:
            at = start.offset or 0
            group = self._subscription.group
            logger.warning("%s: %s/%d: it begins at %d, as an operator said", group, *place, at)
            self._leave(RESUMED, place, at, start, word=f"/{start.since_us}")
            return
        halted = start.offset is None
        logger.error(
            "%s: %s/%d: %s; it was at %d, and begins at %s, %d offsets are gone unread; %s",
            self._subscription.group, *place, start.why, start.was, start.offset, start.lost, REMEDY[halted],
        )  # fmt: skip
        self._leave(HALTED if halted else DISPLACED, place, start.was, start)

    def _leave(
        self, outcome: DeliveryOutcome, place: TopicPartition, offset: int, start: Start, word: str = ""
    ) -> None:
        """Leave a receipt."""
        now_us = self._clock.now_us()
        name = f"{place.topic}/{place.partition}/{offset}"
        receipt = DeliveryReceipt(
            name + word, "", "", "", self._subscription.agency, self._subscription.name,
            self._subscription.purpose, None, name, None, outcome, start.why, min(start.lost, MOST), *place,
            offset, start.since_us or now_us, start.since_us or now_us, now_us, now_us,
            self._clock.skew_us, 0, "",
        )  # fmt: skip
        partition = partition_of_transaction(name)
        self._receipts.add("delivery", _common(receipt), partition, [_row(receipt)])

    def committed(self, place: TopicPartition, topic_id: str, offset: int) -> None:
        """Note what was committed."""
        self._committed[place] = topic_id, offset

    @property
    def is_due(self) -> bool:
        """Whether marks are written again."""
        return monotonic() - self._marked_at >= MARK_SECONDS

    async def mark(self, *, at_once: bool = False) -> None:
        """Write the marks that are behind what is committed, if it is time.

        Raises:
            BusError: the broker did not acknowledge one.
        """
        if self._subscription.replay is not None or not (at_once or self.is_due):
            return
        behind = {place: at for place, at in self._committed.items() if self._marked.get(place) != at}
        if not behind:
            return
        self._marked_at = monotonic()
        for place, (topic_id, offset) in behind.items():
            value = mark_value(Mark(topic_id, offset, self._clock.now_us()))
            key = mark_key(self._subscription.name, place)
            await deliver(self._transport, self._topic, key, value, partition=0)
        self._marked |= behind

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """Forget partitions that have left."""
        for place in places:
            self._committed.pop(place, None)
            self._marked.pop(place, None)
