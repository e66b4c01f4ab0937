"""Dead letters read back: the event as it was, the reason, and what was done since."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import DeadLetter, Reason, StoredRecord
from bus.dead_letters.record import PREFIX, dead_letter
from bus.dead_letters.stored import (
    Act,
    discard_receipt,
    hashes_of,
    read_letters,
    redriven_row,
    released_row,
    write_act,
)
from bus.parking.rows import read_row

VERDICT = DeadLetter(Reason.HANDLER_FAILED, "Every retry of the schedule failed", "KeyError")
names = st.text(max_size=8) | st.sampled_from(
    [f"{PREFIX}reason", f"{PREFIX}topic", "govbus-dead-letter-act", "govbus-parked", "govbus-parked-key"]
)
pairs = st.tuples(names, st.none() | st.binary(max_size=8))


def lying(record: StoredRecord, offset: int = 0, *, held: bool = True) -> StoredRecord:
    """Return the dead letter of a record as it lies in its topic."""
    found = dead_letter(
        record, VERDICT, subscription="office", stage="handle", attempts=3, first_us=5, last_us=6, held=held,
        topic_id="id",
    )  # fmt: skip
    return StoredRecord("south.dead-letters", 0, offset, 1_000, found.key, found.value, found.headers)


def act(what: str, letter: int = 0) -> StoredRecord:
    """Return an act as it lies beside the letters."""
    row = write_act(Act(what, letter, "mae", "mended", "2026-11-29T06:00:00Z"), None)  # type: ignore[arg-type]
    return StoredRecord("south.dead-letters", 0, 9, 2_000, row.key, row.value, tuple(row.headers))


@given(st.none() | st.binary(max_size=20), st.binary(max_size=20), st.lists(pairs, max_size=5))
def test_the_event_comes_back_as_it_was_read(
    key: bytes | None, value: bytes, headers: list[tuple[str, bytes | None]]
) -> None:
    """Whatever its headers are called."""
    record = StoredRecord("north.case-opened.v1", 2, 7, 1_234, key, value, tuple(headers))
    (letter,) = read_letters("south", [lying(record)])
    assert letter.event() == record
    assert (letter.state, letter.held, letter.name) == ("open", True, "south/0")
    row = redriven_row(letter, record, "me")
    assert row is not None
    read = read_row(StoredRecord("south.parked", 0, 1, 1, row.key, row.value, tuple(row.headers)))
    assert read is not None
    assert read.event is not None
    assert read.event.record == record
    assert (read.event.attempts, read.event.due_us, read.event.held) == (0, 0, False)


@pytest.mark.parametrize(("what", "state"), [("redrive", "redriven"), ("discard", "discarded")])
def test_the_latest_act_is_the_state(what: str, state: str) -> None:
    """A letter that was acted on holds no key any more."""
    record = StoredRecord("north.case-opened.v1", 2, 7, 1_234, b"k", b"{}")
    (letter,) = read_letters("south", [lying(record), act("discard"), act(what), act("redrive", letter=77)])
    assert (letter.state, letter.held, len(letter.acts)) == (state, False, 2)


def test_a_discarded_event_is_told_by_its_own_id_in_either_mode() -> None:
    """Attributes are headers, or members of the value."""
    attributes = {"specversion": "1.0", "id": "e-1", "source": "/x", "type": "t", "correlationid": "t-1"}
    binary = tuple((f"CE_{name}", text.encode()) for name, text in attributes.items())
    mode = (("content-type", b"application/cloudevents+json"),)
    for headers, value in ((binary, b"{}"), (mode, json.dumps({**attributes, "data": {}}).encode())):
        record = StoredRecord("north.case-opened.v1", 2, 7, 1_234, b"k", value, headers)
        (letter,) = read_letters("south", [lying(record)])
        receipt = discard_receipt(letter, 5)
        assert (receipt.event_id, receipt.source, receipt.transaction) == ("e-1", "/x", "t-1")


def test_only_a_held_key_is_released() -> None:
    """Discarding any other letter changes nothing of what waits."""
    record = StoredRecord("north.case-opened.v1", 2, 7, 1_234, b"k", b"{}")
    held, free = (read_letters("south", [lying(record, held=held)])[0] for held in (True, False))
    row = released_row(held, "me")
    assert row is not None
    assert (row.key, row.value) == (b"office/north.case-opened.v1/id/2/7", None)
    assert released_row(free, "me") is None


def test_hashes_tell_an_edit() -> None:
    """The same twice where nothing was changed."""
    (letter,) = read_letters("south", [lying(StoredRecord("t.v1", 0, 7, 1, b"k", b"{}"))])
    assert len(set(hashes_of(letter, None))) == 1
    assert len(set(hashes_of(letter, b"[]"))) == 2


@pytest.mark.parametrize(
    "said", [None, b"", b"[]", b"{}", b'{"what": "bury"}', b'{"what": "redrive", "letter": "x"}', b"\xff"]
)
def test_an_act_that_says_nothing_is_none(said: bytes | None) -> None:
    """It counts as a letter that nobody can explain."""
    forged = StoredRecord("south.dead-letters", 0, 3, 1, None, b"x", (("govbus-dead-letter-act", said),))
    (letter,) = read_letters("south", [forged])
    assert (letter.state, letter.event(), letter.home()) == ("open", None, None)
