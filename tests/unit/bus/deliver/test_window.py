"""The records in hand of a partition: order per key, and what counts once nothing before it is missing."""

from collections import defaultdict
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bus.deliver.window import Window
from bus.parking.keys import ParkedEvent, ParkedKeys, key_of
from bus.record import Record, StoredRecord

NOBODY = ParkedKeys()


def record(offset: int, key: bytes | None = b"k") -> StoredRecord:
    """Return a record."""
    return StoredRecord("t", 0, offset, 0, key, b"{}")


def begun(window: Window) -> list[int]:
    """Begin all that may, each as if its handler waited; return the offsets."""
    found = []
    while (one := window.next(NOBODY)) is not None:
        window.occupy(key_of(one))
        found.append(one.offset)
    return found


def test_of_a_key_one_record_is_at_work() -> None:
    """Others begin; the next of the key begins when the one before it is done."""
    window = Window()
    window.take([record(0, b"a"), record(1, b"a"), record(2, b"b"), record(3, b"a")])
    assert begun(window) == [0, 2]
    following = window.follow(b"a")
    assert following is not None
    assert following.offset == 1
    assert begun(window) == []


def test_records_without_a_key_wait_for_none() -> None:
    """They have no order."""
    window = Window()
    window.take([record(0, None), record(1, None), record(2, None)])
    assert begun(window) == [0, 1, 2]


def test_what_is_done_counts_once_everything_before_it_is() -> None:
    """Past a gap it is held, and the next offset stays before the gap."""
    window = Window(4)
    window.take([record(offset, None) for offset in (4, 5, 7, 8)])
    begun(window)
    for offset in (5, 8):
        window.finish(offset, (offset,), outputs=[offset])
    assert (window.reached, window.take_ready().rows, len(window)) == (4, [], 4)
    window.finish(4, (4,), outputs=[4])
    ready = window.take_ready()
    assert (window.reached, ready.rows, ready.outputs) == (6, [(4,), (5,)], [4, 5])
    window.finish(7, (7,))
    assert (window.reached, len(window.take_ready()), len(window)) == (9, 2, 0)


def test_a_record_of_a_parked_key_waits_for_nobody() -> None:
    """It is parked behind the others at once, though one of them is tried just now."""
    window, parked = Window(), ParkedKeys()
    parked.put(b"a", ParkedEvent(0))
    window.take([record(1, b"a")])
    window.occupy(b"a")
    assert window.next(parked) is not None


def test_a_partition_that_leaves_closes_its_gaps() -> None:
    """What lies before a record that has begun begins yet, so that nothing comes again; nothing else does."""
    window = Window()
    window.take([record(0, b"a"), record(1, b"a"), record(2, b"b"), record(3, b"a"), record(4, b"c")])
    first, second = window.next(NOBODY), None
    assert first is not None
    window.occupy(b"a")
    while second is None or second.offset < 2:
        second = window.next(NOBODY)
    window.leave()
    assert not window.can_begin
    assert window.next(NOBODY) is None
    following = window.follow(b"a")
    assert following is not None
    assert following.offset == 1
    assert window.follow(b"a") is None


def test_what_was_begun_is_known() -> None:
    """A late row of another process about it is stale; one about a record that waits is not."""
    window = Window(3)
    window.take([record(3, b"a"), record(4, b"a"), record(5, b"b"), record(6, b"c")])
    window.next(NOBODY)
    window.occupy(b"a")
    window.next(NOBODY)
    assert [window.was_begun(offset) for offset in range(2, 8)] == [True, True, False, True, False, False]


@given(st.lists(st.sampled_from([b"a", b"b", b"c", None]), max_size=40), st.integers(1, 8), st.integers(0))
def test_every_record_is_done_once_and_in_order_per_key(
    keys: list[bytes | None], concurrency: int, seed: int
) -> None:
    """Whichever ends first, and whichever comes again, the next offset never passes one that is not done."""
    chance, window = Random(seed), Window()
    records: list[Record] = [record(offset, key) for offset, key in enumerate(keys)]
    at_work: list[Record] = []
    ended = defaultdict[bytes, list[int]](list)
    done = set[int]()
    while len(done) < len(keys):
        if records and (chance.random() < 0.5 or not (window.can_begin or at_work)):
            count = chance.randint(1, len(records))
            window.take(records[:count])
            records = records[count:]
        while len(at_work) < concurrency and (one := window.next(NOBODY)) is not None:
            assert window.occupy(key_of(one))
            at_work.append(one)
        if not at_work:
            continue
        ends = at_work.pop(chance.randrange(len(at_work)))
        if chance.random() < 0.2:
            window.give_back(ends, key_of(ends))
            continue
        window.finish(ends.offset)
        done.add(ends.offset)
        if ends.key is not None:
            ended[ends.key].append(ends.offset)
        if (following := window.follow(key_of(ends))) is not None:
            at_work.append(following)
        assert all(offset in done for offset in range(window.reached))
        assert window.reached == len(keys) or window.reached not in done
        assert len(window) == sum(1 for _ in range(window.reached, len(keys) - len(records)))
    assert all(offsets == sorted(offsets) for offsets in ended.values())
    assert (len(window.take_ready()), len(window)) == (len(keys), 0)
