"""Parked keys: only the earliest event of a key may be tried, and a key is free when nothing of it waits."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.parking.keys import KeyState, ParkedEvent, ParkedKeys, key_of
from bus.parking.log import RowWriter
from bus.parking.rows import SubscriptionPartition, erase_row, read_row, write_row
from bus.receipts.writer import ReceiptLog
from bus.record import StoredRecord, TopicPartition
from bus.transport import Outgoing

HOME = SubscriptionPartition("openers", TopicPartition("north.case-opened.v1", 2))
A, B = b"a", b"b"


def record(offset: int = 7, key: bytes | None = A) -> StoredRecord:
    """Return an event as it is read."""
    headers = (
        ("ce_id", b"1"), ("null", None), ("binary", b"\xff"), ("ce_id", b"2"),
        ("govbus-parked", b"{}"), ("govbus-parked-key", b"of a stranger"),
    )  # fmt: skip
    return StoredRecord(HOME.partition.topic, 2, offset, 1_700_000_000_000, key, b'{"a": 1}', headers)


def test_later_events_wait_behind_the_first_and_others_are_free() -> None:
    """By key and offset; what was handled before the parked one is free too."""
    keys = ParkedKeys()
    keys.put(A, ParkedEvent(5, due_us=50))
    keys.put(A, ParkedEvent(9))
    found = [keys.state_of(key, offset) for key, offset in ((A, 4), (A, 5), (A, 6), (A, 9), (B, 6))]
    assert found == [KeyState.FREE, KeyState.PARKED, KeyState.BEHIND, KeyState.PARKED, KeyState.FREE]
    assert (len(keys), keys.events) == (1, 2)


def test_only_the_first_event_of_a_key_is_ever_due() -> None:
    """Whatever the times of those behind it say."""
    keys = ParkedKeys()
    first, behind = ParkedEvent(5, due_us=50), ParkedEvent(6)
    keys.put(A, first)
    keys.put(A, behind)
    assert keys.due(49) is None
    assert keys.due(50) == (A, first)
    keys.remove(A, 5)
    assert keys.due(0) == (A, behind)
    keys.remove(A, 6)
    assert (len(keys), keys.events, keys.due(99)) == (0, 0, None)


def test_a_new_time_replaces_the_old_one() -> None:
    """A failed attempt at the first event is followed by the next wait, and no other."""
    keys = ParkedKeys()
    event = ParkedEvent(5, due_us=10)
    keys.put(A, event)
    event.due_us, event.attempts = 90, 2
    keys.changed(A, event)
    assert keys.due(50) is None
    assert keys.next_due_us() == 90


def test_a_held_key_waits_for_no_time() -> None:
    """Until an operator lets it be tried again, or go."""
    keys = ParkedKeys()
    event = ParkedEvent(5)
    keys.put(A, event)
    event.held = True
    keys.changed(A, event)
    keys.put(A, ParkedEvent(6))
    assert (keys.held, keys.next_due_us()) == (1, None)
    again = ParkedEvent(5, due_us=3)
    keys.put(A, again)
    assert (keys.held, keys.due(3)) == (0, (A, again))
    assert not keys.is_first(A, event)


def test_an_earlier_event_that_comes_back_goes_first() -> None:
    """A redriven event stands where its offset says."""
    keys = ParkedKeys()
    keys.put(A, ParkedEvent(5, due_us=1))
    earlier = ParkedEvent(3, due_us=0)
    keys.put(A, earlier)
    assert keys.due(9) == (A, earlier)


def test_what_is_gone_stays_gone() -> None:
    """Removing it again, or changing it, does nothing."""
    keys = ParkedKeys()
    gone = ParkedEvent(5)
    keys.put(A, gone)
    keys.remove(A, 5)
    keys.remove(A, 5)
    keys.changed(A, gone)
    assert (len(keys), keys.next_due_us()) == (0, None)


def test_a_record_without_key_waits_for_itself_alone() -> None:
    """No two of them share a place in line."""
    assert key_of(record(1, None)) != key_of(record(2, None))
    assert key_of(record(1, A)) == A


acts = st.lists(
    st.tuples(st.sampled_from(["put", "held", "remove", "try"]), st.sampled_from([A, B]), st.integers(0, 6)),
    max_size=40,
)


@given(acts)
def test_it_agrees_with_a_plain_model(steps: list[tuple[str, bytes, int]]) -> None:
    """Against a dictionary of sorted dictionaries, whatever is done in whatever order."""
    keys, model = ParkedKeys(), dict[bytes, dict[int, ParkedEvent]]()
    for now, (act, key, offset) in enumerate(steps):
        mine = model.setdefault(key, {})
        if act in ("put", "held"):
            mine[offset] = ParkedEvent(offset, due_us=now + offset, held=act == "held")
            keys.put(key, mine[offset])
        elif act == "remove":
            mine.pop(offset, None)
            keys.remove(key, offset)
        elif mine:
            first = mine[min(mine)]
            first.due_us += 5
            keys.changed(key, first)
        firsts = {key: found[min(found)] for key, found in model.items() if found}
        ready = {event.due_us: key for key, event in sorted(firsts.items()) if not event.held}
        assert len(keys) == len(firsts)
        assert keys.events == sum(map(len, model.values()))
        assert keys.held == sum(event.held for event in firsts.values())
        assert keys.next_due_us() == min(ready, default=None)
        if ready:
            due = keys.due(min(ready))
            assert due is not None
            assert due[1] is firsts[due[0]]
            assert due[1].due_us == min(ready)


@pytest.mark.parametrize("key", [A, None, b"\xff\x00"])
def test_a_row_gives_the_event_back_as_it_was(key: bytes | None) -> None:
    """Bytes, headers null, doubled and binary, time and key, and how it stands."""
    event = ParkedEvent(7, attempts=3, first_us=11, due_us=12, reason="handler-failed")
    row = write_row(HOME, event, record(7, key), "me")
    found = read_row(StoredRecord("south.parked", 0, 40, 1, row.key, row.value, tuple(row.headers)))
    assert found is not None
    assert found.event is not None
    assert (found.home, found.writer, found.event.record) == (HOME, "me", record(7, key))
    back = found.event
    assert (back.attempts, back.first_us, back.due_us, back.held) == (3, 11, 12, False)
    assert back.row_offset == 40


def test_of_a_held_event_no_bytes_are_kept() -> None:
    """Its dead letter has them."""
    assert write_row(HOME, ParkedEvent(7, held=True), record(), "me").value == b""


def test_a_null_value_lets_an_event_go() -> None:
    """It says whose, and nothing else."""
    row = erase_row(HOME, "id", 7, A, "me")
    found = read_row(StoredRecord("south.parked", 0, 41, 1, row.key, row.value, tuple(row.headers)))
    assert found is not None
    assert (found.home, found.offset, found.key, found.event) == (HOME, 7, A, None)


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (None, ()),
        (b"x", (("govbus-parked", b"{}"),)),
        (b"s/t/0/x", (("govbus-parked", b"{}"),)),
        (b"s/t/0/1", ()),
        (b"s/t/0/1", (("govbus-parked", None),)),
        (b"s/t/0/1", (("govbus-parked", b"[]"),)),
        (b"\xff/t/0/1", (("govbus-parked", b"{}"),)),
    ],
)
def test_a_foreign_row_says_nothing(key: bytes | None, headers: tuple[tuple[str, bytes | None], ...]) -> None:
    """It is passed over, and stops nobody."""
    assert read_row(StoredRecord("south.parked", 0, 0, 1, key, b"{}", headers)) is None


class Held:
    """A broker that acknowledges when told to."""

    answer_seconds = 30.0

    unacknowledged = 0

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []

    def send(self, outgoing: Outgoing) -> None:
        """Take a record."""
        self.taken.append(outgoing)


async def test_whoever_asks_for_the_rows_waits_for_those_on_their_way_too() -> None:
    """The second caller reads an event back from the row that the first is sending."""
    broker, parked = Held(), ParkedEvent(7, due_us=1)
    rows = RowWriter(broker, "south.parked", "a-writer", ReceiptLog(broker, "south.receipts"))
    rows.parked(HOME, parked, record())
    first, second = asyncio.create_task(rows.flush()), asyncio.create_task(rows.flush())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (row,) = broker.taken
    assert not second.done()
    row.acknowledged(0, 41, 0)
    await asyncio.gather(first, second)
    assert parked.row_offset == 41


async def test_an_event_is_released_after_its_receipt() -> None:
    """A kill between the two tries the event again, where it would leave it without a receipt."""
    broker, event = Held(), ParkedEvent(7, due_us=1)
    receipts = ReceiptLog(broker, "south.receipts")
    rows = RowWriter(broker, "south.parked", "a-writer", receipts)
    receipts.add("delivery", ("south",), 0, [("1",)])
    rows.released(HOME, event, record())
    flushing = asyncio.create_task(rows.flush())
    await asyncio.sleep(0)
    assert [outgoing.topic for outgoing in broker.taken] == ["south.receipts"]
    later = ParkedEvent(9, due_us=1)
    rows.parked(HOME, later, record(9))  # its receipt is not on its way yet
    broker.taken[0].acknowledged(0, 0, 0)
    await asyncio.sleep(0.01)
    assert [outgoing.topic for outgoing in broker.taken] == ["south.receipts", "south.parked"]
    broker.taken[1].acknowledged(0, 40, 0)
    await flushing
    assert rows.pending == 1
