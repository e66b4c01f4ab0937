"""Dead letters: the original as it was, and beside it why it lies here."""

from hypothesis import given
from hypothesis import strategies as st

from bus import DeadLetter, Reason, StoredRecord
from bus.dead_letters.record import PREFIX, dead_letter, explain

pairs = st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=8))


@given(st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=20), st.lists(pairs, max_size=5))
def test_the_original_is_kept_as_it_was(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    """Key, value and every header, null and doubled ones too, in their order, before what is added."""
    record = StoredRecord("t", 1, 7, 0, key, value, tuple(headers))
    verdict = DeadLetter(Reason.NOT_JSON, "Expected JSON, got other bytes")
    letter = dead_letter(record, verdict, subscription="s", stage="decode", attempts=1, first_us=5, last_us=6)
    assert (letter.key, letter.value) == (key, value)
    assert list(letter.headers[: len(headers)]) == headers
    added = dict(letter.headers[len(headers) :])
    assert added == {
        f"{PREFIX}reason": b"not-json", f"{PREFIX}stage": b"decode", f"{PREFIX}topic": b"t",
        f"{PREFIX}detail": b"Expected JSON, got other bytes", f"{PREFIX}partition": b"1",
        f"{PREFIX}timestamp": b"0",
        f"{PREFIX}offset": b"7", f"{PREFIX}subscription": b"s", f"{PREFIX}attempts": b"1",
        f"{PREFIX}first-us": b"5", f"{PREFIX}last-us": b"6",
    }  # fmt: skip


def test_what_is_empty_is_left_out() -> None:
    """No header says nothing."""
    assert explain(Reason.MALFORMED_RECORD, "read", "", {"file": "a.csv", "error": ""}) == [
        (f"{PREFIX}reason", b"malformed-record"),
        (f"{PREFIX}stage", b"read"),
        (f"{PREFIX}file", b"a.csv"),
    ]
