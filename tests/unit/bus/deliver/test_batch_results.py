"""Receipts, parked rows and next offset of a batch become visible to a commit in one step."""

from functools import partial
from typing import Any

from bus import Event, Reason, Retry, RetryPolicy
from bus.deliver.batch_results import BatchResults, DeliveryAttempt, ReceiptRows
from bus.deliver.offsets import OffsetTracker
from bus.deliver.subscription import Subscription
from bus.deliver.window import Window
from bus.parking.keys import ParkedEvent
from bus.parking.log import RowWriter
from bus.parking.rows import SubscriptionPartition
from bus.receipts.writer import ReceiptLog
from bus.record import StoredRecord, TopicPartition
from bus.telemetry import Telemetry
from bus.times.clock import BrokerClock
from bus.transport import Outgoing

PLACE = TopicPartition("north.case-opened.v1", 2)
HOME = SubscriptionPartition("openers", PLACE)
PARKED = "south.parked"


class Broker:
    """A broker that acknowledges at once, and remembers the order."""

    answer_seconds = 30.0

    unacknowledged = 0

    def __init__(self) -> None:
        self.topics: list[str] = []

    def send(self, outgoing: Outgoing) -> None:
        """Take a record."""
        self.topics.append(outgoing.topic)
        outgoing.acknowledged(0, len(self.topics), 0)


async def _never(event: Event[Any]) -> None:
    raise AssertionError(event)


async def test_a_parked_row_is_never_on_the_broker_before_its_receipt() -> None:
    """A kill in between would leave an event that is passed over at the next read, and has no receipt."""
    broker, offsets, clock = Broker(), OffsetTracker(), BrokerClock()
    receipts = ReceiptLog(broker, "south.receipts")
    rows = RowWriter(broker, PARKED, "a-writer", receipts)
    subscription = Subscription(
        "south", "openers", "south.openers", PLACE.topic, "close-cases", {}, _never, RetryPolicy(), 1.0
    )
    made = ReceiptRows(subscription, receipts, offsets, clock, Telemetry("south", clock))
    window = Window()
    results = BatchResults(made, PLACE, "an-id", window)
    record = StoredRecord(*PLACE, 7, 1_700_000_000_000, b"a", b"{}", ())
    window.take([record])
    change = partial(rows.parked, HOME, ParkedEvent(7), record)
    results.settled(
        record, None, DeliveryAttempt(Retry(Reason.HANDLER_FAILED), 1, (0, 0), is_handlers=True), change
    )
    await rows.flush()  # a commit of other records, meanwhile
    assert (broker.topics, rows.pending) == ([], 0)
    results.report()
    assert (rows.pending, offsets.take()) == (1, {PLACE: 8})
    await rows.flush()
    assert broker.topics == ["south.receipts", PARKED]
