"""YAML and JSON are read with the place of everything in them."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.documents.json_reader import json_depth, json_places
from contracts.documents.yaml_reader import read_yaml_text
from contracts.errors import DocumentError
from contracts.schema.dialect import schema_fault

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def test_yaml_words_are_words() -> None:
    """No country becomes false, no date a date, no version a fraction in disguise."""
    text = "a: no\nb: 2026-01-01\nc: '1.10'\nd: 007\ne: 1.5\nf: true\ng:\nh: ~\ni: 0x1f\nj: 1e3\nk: 12:30\n"
    value, _ = read_yaml_text(text, "x.yaml")
    assert value == {
        "a": "no",
        "b": "2026-01-01",
        "c": "1.10",
        "d": 7,
        "e": 1.5,
        "f": True,
        "g": None,
        "h": None,
        "i": "0x1f",
        "j": "1e3",
        "k": "12:30",
    }


@pytest.mark.parametrize(
    "written", ["18446744073709551616", "-9223372036854775809", "0.12345678901234567890", "9" * 99]
)
def test_a_yaml_number_that_would_lose_digits_is_refused(written: str) -> None:
    """It is neither rounded nor made text in silence; in quotes it is text."""
    with pytest.raises(DocumentError, match=r"^x:1:4 document-syntax a number that would lose digits"):
        read_yaml_text(f"a: {written}\n", "x")
    assert read_yaml_text(f"a: '{written}'\n", "x")[0] == {"a": written}
    largest, decimal = "18446744073709551615", "0.1234567890123456"
    assert read_yaml_text(f"[{largest}, {decimal}]", "x")[0] == [int(largest), float(decimal)]


@settings(deadline=None)
@given(JSON)
def test_yaml_reads_what_json_writes(value: object) -> None:
    """JSON in ASCII is YAML, and both have the same places."""
    text = json.dumps(value)
    if "\\ud" in text:
        return  # YAML has no surrogate pairs
    read, places = read_yaml_text(text, "x")
    assert read == value
    assert {steps: (place.line, place.column) for steps, place in places.items()} == {
        steps: (place.line, place.column) for steps, place in json_places(text, "x").items()
    }


@settings(deadline=None)
@given(JSON)
def test_everything_in_a_json_text_has_its_place(value: object) -> None:
    """Each value's steps are there, whatever the layout."""

    def steps_of(inner: object, steps: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
        children = (
            enumerate(inner) if isinstance(inner, list) else inner.items() if isinstance(inner, dict) else ()
        )
        return {steps}.union(*(steps_of(child, (*steps, step)) for step, child in children))

    text = json.dumps(value, indent=2, ensure_ascii=False)
    assert set(json_places(text, "x")) == steps_of(value)


def test_the_depth_of_json_is_counted_without_parsing() -> None:
    """Brackets inside text do not count."""
    assert json_depth('{"a": "' + "[" * 200 + '"}') == 1
    assert json_depth("[" * 200 + "]" * 200) == 200


@settings(deadline=None)
@given(st.text())
def test_no_yaml_text_crashes_the_reader(text: str) -> None:
    """Whatever the text, it is read or refused with a finding."""
    with suppress(DocumentError):
        read_yaml_text(text, "x.yaml")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\n---\nb: 2\n", "x:2:1 document-syntax a second document in one file"),
        ("'a' 'b'\n", "x:1:5 document-syntax not YAML: did not find expected <document start>"),
        ("a: !t 1\n---\n[", "x:1:4 document-plain-yaml a tag"),
    ],
)
def test_the_first_fault_of_a_text_is_found(text: str, fault: str) -> None:
    """What follows the first document is a fault of its own, at its own place."""
    with pytest.raises(DocumentError, match=re.escape(fault)):
        read_yaml_text(text, "x")


def test_a_string_that_never_ends_is_read_once() -> None:
    """Quote after quote inside an open string costs one pass: a second per quote would take for ever."""
    assert json_depth("[" * 100 + '"' + '\\"' * 400_000) == 100


def test_no_metaschema_is_fetched() -> None:
    """A dialect that is not read is a fault at `$schema`; its meta-schema is not looked for."""
    assert schema_fault({"$schema": "https://127.0.0.1:9/none"}) == (
        ("$schema",),
        "the dialect is none of those that are read",
    )
