"""When receipts are sent: at once where somebody waits, else with a flush; never after a time."""

import asyncio

import orjson
import pytest

from bus import BusError, BusUnavailableError
from bus.receipts.receipts import MOST_BYTES
from bus.receipts.writer import ROWS_PER_RECORD, ReceiptLog
from bus.transport import Outgoing

TOPIC = "south.receipts"
SOON = 0.001
"""Some turns of the loop, in seconds; a time that held receipts back would be a timer of the loop."""


class Broker:
    """Takes records, and acknowledges them when the test does."""

    answer_seconds = 30.0

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []

    @property
    def unacknowledged(self) -> int:
        return len(self.taken)

    def send(self, outgoing: Outgoing) -> None:
        self.taken.append(outgoing)

    def rows(self) -> list[list[str]]:
        """Return the rows of each record that is on the wire."""
        found = [orjson.loads(one.value or b"{}")["groups"] for one in self.taken]
        return [[row[0] for group in groups for row in group["rows"]] for groups in found]

    def acknowledge(self) -> None:
        taken, self.taken = self.taken, []
        for outgoing in taken:
            outgoing.acknowledged(0, 7, 0)


class Caller:
    """Waits for a receipt."""

    def __init__(self) -> None:
        self.ended: list[BusError | None] = []

    def settle(self, error: BusError | None) -> None:
        self.ended.append(error)


def add(log: ReceiptLog, *rows: str, caller: Caller | None = None, urgent: bool = True) -> None:
    """Add rows of one partition."""
    waiting = () if caller is None else (caller,)
    log.add("publish", ("south",), 0, [(row,) for row in rows], waiting, urgent=urgent)


async def test_what_somebody_waits_for_is_sent_at_the_end_of_this_turn() -> None:
    """In one record with all that came in the same turn of the loop."""
    broker, caller = Broker(), Caller()
    log = ReceiptLog(broker, TOPIC)
    add(log, "a", urgent=False)
    add(log, "b", caller=caller)
    add(log, "c")
    assert broker.taken == []
    await asyncio.sleep(0)
    assert broker.rows() == [["a", "b", "c"]]
    assert caller.ended == []
    broker.acknowledge()
    assert caller.ended == [None]


async def test_one_record_is_on_the_wire_and_the_next_gathers_behind_it() -> None:
    """Under load a record holds what came during a round trip; what nobody waits for sends nothing."""
    broker = Broker()
    log = ReceiptLog(broker, TOPIC)
    add(log, "a")
    await asyncio.sleep(0)
    for row in ("b", "c"):
        add(log, row)
        await asyncio.sleep(0)
    assert broker.rows() == [["a"]]
    broker.acknowledge()
    assert broker.rows() == [["b", "c"]]
    add(log, "d", urgent=False)
    broker.acknowledge()
    assert broker.taken == []


async def test_what_nobody_waits_for_travels_with_the_flush() -> None:
    """No timer sends it; a flush is part of every commit. A full record does not wait."""
    broker = Broker()
    log = ReceiptLog(broker, TOPIC)
    add(log, "a", urgent=False)
    await asyncio.sleep(SOON)
    assert not any(isinstance(one, asyncio.TimerHandle) for one in _scheduled())
    assert broker.taken == []
    flushing = asyncio.create_task(log.flush())
    await asyncio.sleep(0)
    assert broker.rows() == [["a"]]
    broker.acknowledge()
    await flushing
    add(log, *map(str, range(ROWS_PER_RECORD)), urgent=False)
    assert len(broker.rows()[0]) == ROWS_PER_RECORD


async def test_no_record_outgrows_its_topic_however_long_the_ids_are() -> None:
    """Another agency chooses them; who waits has the rows of all records, or the error of any."""
    broker, caller = Broker(), Caller()
    log = ReceiptLog(broker, TOPIC)
    rows = [f"{number:04}" * 1_000 for number in range(600)]
    add(log, *rows, caller=caller)
    await asyncio.sleep(0)
    assert [row for record in broker.rows() for row in record] == rows
    assert max(len(one.value or b"") for one in broker.taken) <= MOST_BYTES
    first, *others = broker.taken
    taken = broker.rows()[0]
    broker.taken = others
    broker.acknowledge()
    assert caller.ended == []
    first.failed(BusUnavailableError("no broker answers"))
    assert [type(error) for error in caller.ended] == [BusUnavailableError]
    flushing = asyncio.create_task(log.flush())
    await asyncio.sleep(0)
    assert broker.rows() == [taken]
    broker.acknowledge()
    await flushing
    add(log, "x" * MOST_BYTES)
    await asyncio.sleep(0)
    assert len(broker.taken) == 1


async def test_what_failed_goes_with_the_next_flush_or_the_next_urgent_row() -> None:
    """Whoever waited has the error; the row is not lost."""
    broker, caller = Broker(), Caller()
    log = ReceiptLog(broker, TOPIC)
    add(log, "a", caller=caller)
    await asyncio.sleep(0)
    broker.taken.pop().failed(BusUnavailableError("no broker answers"))
    assert [type(error) for error in caller.ended] == [BusUnavailableError]
    add(log, "b")
    await asyncio.sleep(0)
    assert broker.rows() == [["a", "b"]]
    broker.taken.pop().failed(BusUnavailableError("no broker answers"))
    flushing = asyncio.create_task(log.flush())
    await asyncio.sleep(0)
    assert broker.rows() == [["a", "b"]]
    broker.taken.pop().failed(BusUnavailableError("no broker answers"))
    with pytest.raises(BusUnavailableError):
        await flushing


def _scheduled() -> list[object]:
    return list(asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]
