"""The envelope: any headers are read or refused by name, never a crash."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import DeadLetter, EnvelopeError, Event, Reason, StoredRecord, agency_of
from bus.envelope import (
    MAX_ATTRIBUTE_BYTES,
    REQUIRED,
    SCHEMA_ID,
    moment,
    moment_of,
    moment_us,
    plain_attributes,
    read_attributes,
    source_of,
    time_bytes,
    time_us,
)
from bus.stages.decode import MAX_BESIDE_BYTES, PLAIN_KEY_BYTES, Expected, decode
from bus.stages.stamp import Stamp, Stamper, key_bytes
from contracts import Catalog

RIGHT: tuple[tuple[str, bytes | None], ...] = (
    ("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"urn:x"),
    ("ce_type", b"civil-registry.birth-registered.v1"),
)  # fmt: skip
CONTRACT = Catalog.open().contract("civil-registry.birth-registered")
EXPECTED = Expected(
    CONTRACT.version(1).type.encode(),
    {CONTRACT.version(1).dataschema.encode(): CONTRACT.version(1)},
    CONTRACT.version(1),
    CONTRACT.max_bytes,
)

names = st.sampled_from(
    ["ce_id", "ce_source", "ce_type", "ce_specversion", "ce_time", "ce_service", "ce_startedat",
     "ce_dataschema", "ce_correlationid", "ce_causationid", "content-type", "traceparent", "x"]
) | st.text(max_size=8)  # fmt: skip
values = (
    st.none()
    | st.binary(max_size=20)
    | st.sampled_from([b"1.0", b"", b"application/cloudevents+json", b"\xff", b"x" * 5000, EXPECTED.type])
)
headers = st.lists(st.tuples(names, values), max_size=8)
json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def is_attribute(name: str) -> bool:
    """Whether a header is an attribute; `content-type` is `datacontenttype`."""
    return name.lower().startswith("ce_") or name.lower() == "content-type"


def read(given_headers: Any, plain: Any = None) -> Any:
    """Return what is read, or why not."""
    try:
        return read_attributes(given_headers, plain)
    except EnvelopeError as error:
        return str(error)


def record(value: bytes | None, given_headers: Any) -> StoredRecord:
    """Return a record of a foreign producer."""
    return StoredRecord("t", 0, 0, 1, None, value, tuple(given_headers))


@given(headers)
def test_any_headers_are_attributes_or_an_envelope_error(found: list[tuple[str, bytes | None]]) -> None:
    """What is returned is text, single, and has the four required attributes; else one line says why."""
    try:
        attributes, identity = read_attributes(found)
    except EnvelopeError as error:
        said = str(error)
        assert said.startswith("Expected ") and "\n" not in said  # noqa: PT018 - one of two ends
        return
    assert all(attributes[name] for name in REQUIRED)
    assert all(isinstance(value.decode(), str) for value in attributes.values())
    assert identity[:2] == (attributes["ce_id"].decode(), attributes["ce_source"].decode())
    assert all(part is None or part for part in identity)


@given(st.lists(st.tuples(names.filter(lambda name: not is_attribute(name)), values), max_size=8))
def test_headers_that_are_no_attributes_never_refuse_an_event(found: list[tuple[str, bytes | None]]) -> None:
    """A null, binary or doubled header beside right attributes hurts nobody."""
    attributes, identity = read_attributes([*RIGHT, *found])
    assert {name: attributes[name] for name, _ in RIGHT} == dict(RIGHT)
    assert identity == ("1", "urn:x", None, None, None)


@given(st.none() | st.binary(max_size=60) | st.just(b"[" * 2000), headers, st.booleans())
def test_any_record_is_an_event_or_a_dead_letter(
    value: bytes | None, found: list[tuple[str, bytes | None]], right: bool
) -> None:
    """Decoding never raises; a dead letter has a reason and one line."""
    check(decode(record(value, [*RIGHT, *found] if right else found), EXPECTED))


@given(
    st.dictionaries(
        st.sampled_from(["specversion", "id", "source", "type", "data", "subject", "n"]), json_texts
    )
)
def test_any_structured_body_is_an_event_or_a_dead_letter(body: dict[str, Any]) -> None:
    """The same holds for the whole CloudEvent as JSON."""
    mode: list[tuple[str, bytes | None]] = [("content-type", b"application/cloudevents+json")]
    whole = {"specversion": "1.0", "id": "1", "source": "u", "type": EXPECTED.type.decode(), **body}
    check(decode(record(json.dumps(whole).encode(), mode), EXPECTED))


def check(found: Any) -> None:
    """Fail unless this is an event whose attributes can be read, or a dead letter."""
    if isinstance(found, DeadLetter):
        assert found.reason in Reason
        assert "\n" not in found.detail
        return
    assert isinstance(found, Event)
    assert "" not in (found.id, found.source, found.type)
    found.started_at, found.time, found.recorded_time, found.transaction, found.traceparent  # noqa: B018


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ce_id": None}, "text, got null"),
        ({"ce_id": b"\xff"}, "UTF-8"),
        ({"ce_id": b""}, "Expected text, got none - at attribute `id`"),
        ({"ce_subject": b""}, "Expected text, got none - at attribute `subject`"),
        ({"ce_adalovelace": b""}, "Expected text, got none - at an extension attribute"),
        ({"ce_time": b"2026-W10-1T12:00:00Z"}, "Expected an RFC 3339 time .* at attribute `time`"),
        ({"ce_recordedtime": b"2026-03-01T12:00:00+0530"}, "at attribute `recordedtime`"),
        ({"ce_startedat": b"yesterday"}, "at attribute `startedat`"),
        ({"ce_source": b"x" * (MAX_ATTRIBUTE_BYTES + 1)}, "at most 4096 bytes"),
        ({"ce_specversion": b"0.3"}, "Expected `1.0`, got another"),
        ({"ce_adalovelace": b"\xff"}, "an extension attribute"),
    ],
)
def test_a_wrong_attribute_is_named_and_not_quoted(change: dict[str, bytes | None], message: str) -> None:
    """The message says which attribute, unless its name is a foreigner's own."""
    with pytest.raises(EnvelopeError, match=message) as caught:
        read_attributes(list({**dict(RIGHT), **change}.items()))
    assert "lovelace" not in str(caught.value)


@given(st.datetimes())
def test_a_time_comes_back_as_it_went(plain: datetime) -> None:
    """Microseconds, RFC 3339 text and datetimes are the same time; a year has four digits."""
    aware = plain.replace(tzinfo=UTC)
    us = moment_us(aware)
    assert (moment_of(us), time_us(time_bytes(us).decode())) == (aware, us)
    assert datetime.fromisoformat(time_bytes(us).decode()) == aware


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", moment_of(0)),
        ("1970-01-01T01:00:00.000001+01:00", moment_of(1)),
        ("1970-01-01T00:00:00", None),
        ("yesterday", None),
        ("", None),
        ("0987-05-01T00:00:00.000000Z", datetime(987, 5, 1, tzinfo=UTC)),
        ("1970-01-01t00:00:00.5z", moment_of(500_000)),
        ("1970-01-01T00:00:00.123456789Z", moment_of(123_456)),
        ("1970-01-01T00:00:00-00:00", moment_of(0)),
        ("1969-12-31T23:59:60Z", moment_of(0)),
        ("1969-12-31T23:59:60.25Z", moment_of(250_000)),
        ("1969-12-31T23:59:60.250000Z", moment_of(250_000)),
        ("1970-01-01T05:29:60+05:30", moment_of(0)),
        ("1970-01-02T23:59:60Z", None),
        ("1970-01-31T12:00:60Z", None),
        ("9999-12-31T23:59:60Z", None),
        ("1970-01-01T00:00:61Z", None),
        ("1970-W01-4T00:00:00Z", None),
        ("1970-W01-4T00:00:00.000000Z", None),
        ("1970-001T00:00:00Z", None),
        ("19700101T000000Z", None),
        ("1970-01-01T00:00:00,5Z", None),
        ("1970-01-01T00:00:00.Z", None),
        ("1970-01-01T00:00:00+0530", None),
        ("1970-01-01T00:00:00+05", None),
        ("1970-01-01T00:00:00+24:00", None),
        ("1970-01-01T00:00:00+05:60", None),
        ("1970-01-01T00:00:00+05:30:15", None),
        ("1970-01-01 00:00:00Z", None),
        ("1970-01-01T24:00:00Z", None),
        ("1970-01-01T00:00Z", None),
        ("1970-02-30T00:00:00.000000Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("\u0661970-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00.00000\u0661Z", None),
        (" 1970-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z\n", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
    ],
)
def test_a_time_is_read_or_absent(text: str, expected: datetime | None) -> None:
    """RFC 3339, section 5.6, and no more of ISO 8601; nor is a time outside the calendar."""
    assert moment(text) == expected


@given(st.text("0123456789-:TZ.+W ", max_size=30) | st.text(max_size=20))
def test_text_of_any_kind_is_a_time_or_none(text: str) -> None:
    """Nothing a foreigner calls a time raises."""
    found = moment(text)
    assert found is None or found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("source", "agency"),
    [
        (source_of("health", "records"), "health"),
        ("urn:govbus:health", "urn:govbus:health"),
        ("https://example.org/x", "https://example.org/x"),
    ],
)
def test_a_source_names_its_agency(source: str, agency: str) -> None:
    """A foreign source stands for itself."""
    assert agency_of(source) == agency


FORBIDDEN = (
    *"\x00\n\r\x1b\x1f\x7f\x80\x85\x9f",
    *"\ufdd0\ufdef\ufffe\U0001ffff\U0010fffe",
)
"""CloudEvents 1.0.2, type system, String; beside these lone surrogates, which UTF-8 cannot hold."""
SETTABLE = ("id", "transaction", "causation", "service", "subject", "traceparent", "tracestate", "key")
"""What a publisher, an outbox's row or a cause brings into an attribute."""


def stamped(system: str = "registry", **said: Any) -> list[tuple[str, bytes | None]]:
    """The headers of an event with some attributes set."""
    key = said.pop("key", "k")
    values = {"id": "1", "traceparent": "00-1-2-01", **said}
    return Stamper(CONTRACT.version(1), "health", system, "t").headers(
        Stamp(time_us=1, recorded_us=1, **values), key_bytes(key)
    )


@pytest.mark.parametrize("name", SETTABLE)
@pytest.mark.parametrize("character", [*FORBIDDEN, "\ud800"])
def test_no_attribute_is_published_with_text_that_cloudevents_forbids(name: str, character: str) -> None:
    """Each attribute that a caller sets is refused by its name; the text is not quoted."""
    with pytest.raises(EnvelopeError, match="control characters") as caught:
        stamped(**{name: f"secret{character}"})
    assert "secret" not in str(caught.value)


@given(
    st.dictionaries(
        st.sampled_from([name for name in SETTABLE if not name.startswith("trace")]),
        st.text(st.characters(), max_size=20),
    )
)
def test_what_is_published_is_read_again(said: dict[str, str]) -> None:
    """An envelope that publishing lets through is one that decoding takes."""
    try:
        headers = stamped(**said)
    except EnvelopeError:
        return
    attributes, identity = read_attributes(headers)
    assert identity[0] == said.get("id", "1")
    assert {**dict(headers), SCHEMA_ID: None} == {**attributes, SCHEMA_ID: None}


@given(st.dictionaries(names | st.sampled_from(["CE_ID", "ce_b-d", SCHEMA_ID]), values, max_size=8))
def test_headers_that_are_looked_at_together_are_read_as_one_by_one(given_headers: Any) -> None:
    """Whatever they are; what is looked at together leaves room for a long key beside it."""
    given_headers = {**dict(RIGHT), **given_headers}
    plain = plain_attributes(given_headers)
    if plain is None:
        return
    one_by_one = [(name, value) for name, value in given_headers.items() if name != SCHEMA_ID]
    assert read(one_by_one) == read((), plain)
    size = sum(16 + len(name) + len(value or b"") for name, value in given_headers.items())
    assert PLAIN_KEY_BYTES + size <= MAX_BESIDE_BYTES


@pytest.mark.parametrize(
    ("name", "value"), [("x" * MAX_BESIDE_BYTES, b"x"), (SCHEMA_ID, b"x" * MAX_BESIDE_BYTES)]
)
def test_a_name_or_a_schema_id_counts_as_long_as_it_is(name: str, value: bytes) -> None:
    """It is refused with the event, as another header of that size."""
    outcome = decode(record(b"{}", (*RIGHT, (name, value))), EXPECTED)
    assert isinstance(outcome, DeadLetter)
    assert outcome.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("name", ["id", "service", "subject", "key"])
def test_what_is_no_text_is_refused(name: str) -> None:
    """A number or bytes as an attribute is an error that names it, not a crash."""
    for value in (7, b"bytes"):
        with pytest.raises(EnvelopeError, match="Expected text, got"):
            stamped("registry", **{name: value})


@pytest.mark.parametrize(
    "system",
    ["", " ", "civil registry", "a:b", "régistre", "a?b", "a#b", "a%zz", "a%", "/a", "a\\b", "<a>", "a\n",
     "a\x00", "[a]", "a" * 5000, "\ud800"],
)  # fmt: skip
def test_a_system_that_makes_no_uri_is_refused(system: str) -> None:
    """It is the last part of the source, a URN; a colon would make another agency's name."""
    with pytest.raises(EnvelopeError, match=r"at `(system|source)`"):
        stamped(system)


@pytest.mark.parametrize("system", ["main", "registry-2", "a.b_c~d", "a/b", "a%20b", "x@y", "A(1)"])
def test_a_system_that_makes_a_uri_is_published(system: str) -> None:
    """And its agency is read from the source again."""
    _, identity = read_attributes(stamped(system))
    assert identity[1] == f"urn:govbus:health:{system}"
    assert agency_of(identity[1]) == "health"


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_subject", "ce_traceparent", "ce_adalovelace"])
@pytest.mark.parametrize("character", FORBIDDEN)
def test_a_record_with_text_that_cloudevents_forbids_is_no_event(name: str, character: str) -> None:
    """Another publisher's attributes are held to the same rule, known to us or not."""
    headers = list({**dict(RIGHT), name: f"x{character}".encode()}.items())
    found = decode(record(b"{}", headers), EXPECTED)
    assert isinstance(found, DeadLetter)
    assert found.reason is Reason.MALFORMED_ENVELOPE


@pytest.mark.parametrize(
    ("source", "right"),
    [
        *[(text, True) for text in (
            "urn:x", "/sensors/1/alerts", "https://user@example.org:80/x?y#z", "mailto:a@b", "1-555-123-4567",
            "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "http://[::1]/a", "#fragment", "//host", "a%20b",
        )],
        *[(text, False) for text in (
            "a b", "1a:b", ":a", "http://a:b:c/", "régistre", "%zz", "a%", "http://[bad", "a\\b", "<x>",
            "x{y}", "//h:x", "a#b#c", "a^b", "a|b", 'a"b',
        )],
    ],
)  # fmt: skip
def test_a_source_is_a_uri_reference(source: str, right: bool) -> None:
    """RFC 3986, appendix A, as CloudEvents asks of every source."""
    found = decode(record(b"{}", {**dict(RIGHT), "ce_source": source.encode()}.items()), EXPECTED)
    assert isinstance(found, Event) is right


@pytest.mark.parametrize("minor", ["٣", "²", "1.2", "-1", "", "+9", " 9", "1_0"])
def test_a_version_that_is_no_number_is_not_taken_for_a_newer_one(minor: str) -> None:
    """Digits are those of ASCII."""
    schema = f"{CONTRACT.version(1).dataschema.rpartition('.')[0]}.{minor}".encode()
    found = decode(record(b"{}", [*RIGHT, ("ce_dataschema", schema)]), EXPECTED)
    assert isinstance(found, DeadLetter)
    assert found.reason is Reason.UNKNOWN_VERSION
