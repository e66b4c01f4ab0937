"""JSON of an event: each value is read, unless two readers would understand it differently."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import AmbiguousJsonError, read_event_json

NAMES = st.text(max_size=3)
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
).filter(lambda leaf: leaf not in (float("inf"), -float("inf")))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=12)


def steps(text: str) -> tuple[str | int, ...]:
    """Where the fault is, as there must be one."""
    with pytest.raises(AmbiguousJsonError) as told:
        read_event_json(text.encode())
    return told.value.steps


@given(VALUES, st.sampled_from([{}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (" ,", " : ")}]))
def test_every_value_is_read_however_it_is_written(value: Any, style: dict[str, Any]) -> None:
    """White space, escapes and spellings of numbers are the writer's own."""
    text = json.dumps(value, **style).encode()
    assert read_event_json(text) == value == json.loads(text)


@given(VALUES, st.lists(st.sampled_from(["a", "", "é", "a b"]), max_size=4), st.sampled_from(["", " ", "\n"]))
def test_a_name_that_stands_twice_is_found_wherever_it_is(value: Any, way: list[str], blank: str) -> None:
    """RFC 8259, section 4: some readers take the first value, some the last, some none; equal ones, too."""
    twice = f'{{"n":{json.dumps(value)},{blank}"\\u006e"{blank}:{json.dumps(value)}}}'
    for name in way:
        twice = f'{{"other": 1, {json.dumps(name)}: [0, {twice}]}}'
    assert steps(twice) == (*(step for name in reversed(way) for step in (name, 1)), "n")


@pytest.mark.parametrize(
    "text",
    ["18446744073709551616", "-9223372036854775809", "9" * 20, "9" * 300, "-" + "1" * 300],
)
def test_a_whole_number_beyond_64_bits_is_refused(text: str) -> None:
    """RFC 8259, section 6: readers round it to a double, and lose digits in silence."""
    assert steps(text) == ()
    assert steps(f'{{"a": [1, {text}]}}') == ("a", 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [("18446744073709551615", 2**64 - 1), ("-9223372036854775808", -(2**63)), ("9007199254740993", 2**53 + 1),
     ("-0", 0), ("1e30", 1e30), ("1.0", 1.0), ("0.1234567890123456789", 0.12345678901234568),
     ("1e-400", 0.0)],
)  # fmt: skip
def test_other_numbers_are_read(text: str, value: float) -> None:
    """What is written with a point or an exponent is a double to every reader."""
    found = read_event_json(text.encode())
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"{'a': 1}", b'{"a": 1,}', b"NaN", b"Infinity", b"1e400", b"9" * 5000, b"01",
     b'"\\ud800"', b"\xff", b'"\xed\xa0\x80"', b"\xef\xbb\xbf{}", b"{}{}", b"[" * 2000],
)  # fmt: skip
def test_what_is_no_json_is_not_read(text: bytes) -> None:
    """RFC 8259 and RFC 7493: as the compiled reader has it."""
    with pytest.raises(ValueError, match="line 1") as told:
        read_event_json(text)
    assert not isinstance(told.value, AmbiguousJsonError)


def test_what_is_nested_deeper_than_can_be_written_is_refused() -> None:
    """254 levels, those of the writer; nothing recurses without end."""
    assert read_event_json(b"[" * 254 + b"]" * 254)
    assert steps("[" * 255 + "]" * 255) == ()
    assert steps("[" * 253 + '{"a":1,"a":2}' + "]" * 253) == (*[0] * 253, "a")


def test_a_fault_is_told_without_a_name_or_value() -> None:
    """Data may be personal; its reader shows the declared names of the steps."""
    with pytest.raises(AmbiguousJsonError) as told:
        read_event_json(b'{"Ada": 1, "Ada": 2}')
    assert str(told.value) == "Expected each name once in an object, got one twice"
    assert told.value.is_twice
