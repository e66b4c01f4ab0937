"""W3C Trace Context, levels 1 and 2, as records carry it: what goes on, what begins anew.

The rows follow the validation suite of the W3C working group (`trace-context/test/test.py`), case by case,
with values of our own. What it asks of a service, "a valid traceparent with another trace id", is here: none,
so that whoever traces begins a trace. Each row is read from a record's headers and passed on to an event that
the first one caused.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from bus import Draft, Event, trace_headers
from bus.database.outbox_rows import OutboxEvent, row_of
from bus.envelope import read_attributes
from bus.record import Headers, StoredRecord
from bus.stages.stamp import Stamp, Stamper, stamp_of
from bus.structured import read_trace
from bus.trace_context import MAX_STATE_CHARACTERS, trace_context
from contracts import Catalog

BIRTH = "civil-registry.birth-registered"
VERSION = Catalog.open().contract(BIRTH).version(1)
STAMPER = Stamper(VERSION, "civil-registry", "main", f"{BIRTH}.v1")
TRACE, SPAN = "ab42124a3c573678d4d8b21ba52df3bf", "d21f7bc17caa5aba"
PARENT = f"00-{TRACE}-{SPAN}-01"
ATTRIBUTES = (
    ("ce_specversion", b"1.0"), ("ce_id", b"t-1"), ("ce_source", b"/foreign"),
    ("ce_type", VERSION.type.encode()),
)  # fmt: skip


def received(*headers: tuple[str, str | bytes | None]) -> Event[Any]:
    """Return an event that came with headers."""
    given: Headers = [
        *ATTRIBUTES,
        *((name, value.encode() if isinstance(value, str) else value) for name, value in headers),
    ]
    record = StoredRecord("t", 0, 0, 1, None, b"{}", tuple(given))
    return Event(record, *read_attributes(given), {}, VERSION)


def passed_on(event: Event[Any]) -> dict[str, bytes | None]:
    """Return the trace headers of an event that another one caused, without an SDK."""
    stamp = stamp_of(Draft({}), event, 1, lambda: "t-2")
    found = dict(STAMPER.headers(stamp, b"k"))
    return {name: value for name, value in found.items() if "trace" in name or "baggage" in name}


def goes_on(*headers: tuple[str, str | bytes | None]) -> tuple[str | None, str | None]:
    """Return parent and state of what came with headers, and check that just these are passed on."""
    event = received(*headers)
    parent, state = event.traceparent, event.tracestate
    wanted = {"traceparent": parent, "ce_traceparent": parent, "tracestate": state, "ce_tracestate": state}
    assert passed_on(event) == {name: text.encode() for name, text in wanted.items() if text is not None}
    return parent, state


def test_neither_header() -> None:
    """Nothing came, nothing goes on."""
    assert goes_on() == (None, None)


@pytest.mark.parametrize("flags", ["00", "01", "02", "03", "ff"])
def test_a_parent_of_version_00_goes_on_as_it_is(flags: str) -> None:
    """Its flags too, the random flag of level 2 among them: who starts no span changes nothing."""
    parent = f"00-{TRACE}-{SPAN}-{flags}"
    assert goes_on(("traceparent", parent)) == (parent, None)


def test_two_parents_are_none() -> None:
    """Which of them would it be? Equal ones, too."""
    other = PARENT.replace("ab", "cd")
    assert goes_on(("traceparent", PARENT), ("traceparent", other)) == (None, None)
    assert goes_on(("traceparent", PARENT), ("tracestate", "a=1"), ("TraceParent", PARENT)) == (None, None)


@pytest.mark.parametrize("name", ["trace-parent", "trace.parent", "trace_parent", "traceparent "])
def test_a_parent_under_another_name_is_none(name: str) -> None:
    """Section 3.2.1: one word."""
    assert goes_on((name, PARENT))[0] is None


@pytest.mark.parametrize("name", ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"])
def test_a_parent_is_read_under_its_name_in_any_case(name: str) -> None:
    """Section 3.2.1: the name must be expected in any case, and is sent in lower case."""
    assert goes_on((name, PARENT)) == (PARENT, None)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (f"cc-{TRACE}-{SPAN}-01", PARENT),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", PARENT),
        (f"01-{TRACE}-{SPAN}-ff-", PARENT),
        (f"fe-{TRACE}-{SPAN}-06", f"00-{TRACE}-{SPAN}-00"),
    ],
)
def test_a_parent_of_a_later_version_goes_on_as_version_00(written: str, read: str) -> None:
    """Section 3.2.4: its ids and the sampled flag are known, no more."""
    assert goes_on(("traceparent", written), ("tracestate", "a=1")) == (read, "a=1")


@pytest.mark.parametrize(
    "parent",
    [
        f"cc-{TRACE}-{SPAN}-01.what-the-future-will-be-like", f"cc-{TRACE}-{SPAN}", f"cc-{TRACE}-{SPAN}-1",
        f"{PARENT}.", f"{PARENT}-what-the-future-will-be-like", f"{PARENT}-", f"{PARENT}\n", f"\n{PARENT}",
        f"ff-{TRACE}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01-more", f"FF-{TRACE}-{SPAN}-01",
        f".0-{TRACE}-{SPAN}-01", f"0.-{TRACE}-{SPAN}-01", f"000-{TRACE}-{SPAN}-01",
        f"0000-{TRACE}-{SPAN}-01", f"0-{TRACE}-{SPAN}-01", f"-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01", f"00-.{TRACE[1:]}-{SPAN}-01", f"00-{TRACE[:-1]}.-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01", f"00-{TRACE[1:]}-{SPAN}-01", f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-.{SPAN[1:]}-01", f"00-{TRACE}-{SPAN[:-1]}.-01",
        f"00-{TRACE}-{SPAN}0-01", f"00-{TRACE}-{SPAN[1:]}-01", f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{TRACE}-{SPAN}-.0", f"00-{TRACE}-{SPAN}-0.", f"00-{TRACE}-{SPAN}-001", f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0A", f"00-{TRACE}-{SPAN}-", f"00-{TRACE}-{SPAN}", f"00_{TRACE}_{SPAN}_01",
        f"cc-{'0' * 32}-{SPAN}-01", f"cc-{TRACE}-{'0' * 16}-01", f"00 -{TRACE}-{SPAN}-01",
        "", " ", "-", "Ada Lovelace", b"\xff", b"\xff-ab", "\u0660\u0660" + PARENT[2:], None,
    ],
)  # fmt: skip
def test_a_malformed_parent_is_none(parent: str | bytes | None) -> None:
    """Sections 3.2.2 and 3.2.4: and its state is not even looked at."""
    assert goes_on(("traceparent", parent), ("tracestate", "a=1")) == (None, None)


@pytest.mark.parametrize("around", [" {}", "\t{}", "{} ", "{}\t", "\t {} \t"])
def test_blanks_around_a_header_are_ignored(around: str) -> None:
    """Optional white space of HTTP, which bridges from there may have kept."""
    assert goes_on(("traceparent", around.format(PARENT))) == (PARENT, None)
    assert goes_on(("traceparent", PARENT), ("tracestate", around.format("a=1"))) == (PARENT, "a=1")


@pytest.mark.parametrize("state", ["a=1", "a=1,b=2"])
def test_a_state_without_a_parent_is_none(state: str) -> None:
    """Section 3.3: it belongs to a parent."""
    assert goes_on(("tracestate", state)) == (None, None)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["a=1,b=2"], "a=1,b=2"),
        (["a=1,b=2", "c=1,d=2", "e=3"], "a=1,b=2,c=1,d=2,e=3"),
        (["z=1", "y=2", "x=3"], "z=1,y=2,x=3"),
        ([""], None),
        (["", ""], None),
        ([",,", " , \t,"], None),
        (["a=1", ""], "a=1"),
        (["", "a=1"], "a=1"),
        (["a=1 \t , \t b=2, \t c=3"], "a=1,b=2,c=3"),
        (["a=1\t \t,\t \tb=2,\t \tc=3"], "a=1,b=2,c=3"),
        (["a=1,a=1"], "a=1"),
        (["a=1,a=2"], "a=1"),
        (["a=1", "a=1"], "a=1"),
        (["a=1", "a=2"], "a=1"),
        (["tenant@vendor=1"], "tenant@vendor=1"),
        (["1tenant@vendor=1,2=3"], "1tenant@vendor=1,2=3"),
        (["foo@=1,bar=2"], "foo@=1,bar=2"),
        (["foo@@bar=1,bar=2"], "foo@@bar=1,bar=2"),
        (["foo@bar@baz=1,bar=2"], "foo@bar@baz=1,bar=2"),
        (["a= b c"], "a= b c"),
    ],
)
def test_states_are_one_list_in_their_order(written: list[str], read: str | None) -> None:
    """Section 3.3.1 and RFC 9110, section 5.3; empty members are allowed, of two with one key one stays."""
    assert goes_on(("traceparent", PARENT), *(("tracestate", text) for text in written)) == (PARENT, read)


@pytest.mark.parametrize("name", ["TraceState", "TrAcEsTaTe", "TRACESTATE"])
def test_a_state_is_read_under_its_name_in_any_case(name: str) -> None:
    """Section 3.3.1.1."""
    assert goes_on(("traceparent", PARENT), (name, "a=1")) == (PARENT, "a=1")


@pytest.mark.parametrize("name", ["trace-state", "trace.state", "trace_state"])
def test_a_state_under_another_name_is_none(name: str) -> None:
    """Section 3.3.1.1: one word."""
    assert received(("traceparent", PARENT), (name, "a=1")).tracestate is None


KEY = "".join(map(chr, range(0x61, 0x7B))) + "0123456789_-*/"
VALUE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",=")


@pytest.mark.parametrize(
    "key",
    [KEY, f"{KEY}@a-z0-9_-*/", "z" * 256, "t" * 241 + "@" + "v" * 14, "t" * 242 + "@v", "t@" + "v" * 15],
)
@pytest.mark.parametrize("value", [VALUE, "1", "v" * 256])
def test_every_allowed_character_and_length_goes_on(key: str, value: str) -> None:
    """Sections 3.3.1.3.1 and 3.3.1.3.2 of level 2."""
    state = f"a=1,{key}={value}"
    assert goes_on(("traceparent", PARENT), ("tracestate", state)) == (PARENT, state)


@pytest.mark.parametrize(
    "member",
    ["foo =1", "FOO=1", "foo.bar=1", "@foo=1", "foo", "=1", "foo=", "foo=bar=baz", "foo=a\x00b", "foo=ab\x7f",
     "foo=é", "föo=1", "z" * 257 + "=1", "foo=" + "v" * 257, "foo=\t1\tb", ";foo=1", "_foo=1"],
)  # fmt: skip
def test_a_malformed_member_drops_the_whole_state(member: str) -> None:
    """Section 3.3: but not the parent."""
    for state in (member, f"a=1,{member}", f"{member},a=1"):
        assert goes_on(("traceparent", PARENT), ("tracestate", state)) == (PARENT, None)


def test_no_more_than_32_members_go_on() -> None:
    """Section 3.3.1: with 33 the whole list is malformed."""
    members = [f"bar{number:02}={number}" for number in range(1, 34)]
    parts = [",".join(members[start : start + 10]) for start in (0, 10, 20)]
    states = [("tracestate", part) for part in parts]
    whole = ",".join(members[:32])
    assert goes_on(("traceparent", PARENT), *states, ("tracestate", ",".join(members[30:32]))) == (
        PARENT,
        whole,
    )
    over = ("tracestate", ",".join(members[30:33]))
    assert goes_on(("traceparent", PARENT), *states, over) == (PARENT, None)


def test_of_a_state_that_is_too_long_whole_members_go() -> None:
    """Section 3.3.1.5: those over 128 characters first, then from the end; 512 characters stay at least."""
    short = [f"s{number}={'x' * 100}" for number in range(16)]
    long = [f"l{number}={'x' * 250}" for number in range(16)]
    mixed = [member for pair in zip(short, long, strict=True) for member in pair]
    parent, state = goes_on(("traceparent", PARENT), *(("tracestate", member) for member in mixed))
    assert parent == PARENT
    assert state is not None
    assert 512 <= len(state) <= MAX_STATE_CHARACTERS
    kept = state.split(",")
    assert [member for member in kept if member in short] == short
    assert [member for member in kept if member in long] == long[: len(kept) - len(short)]


def test_the_attribute_speaks_where_the_header_is_malformed() -> None:
    """Distributed tracing extension; a state goes with its own parent alone."""
    own = ("ce_traceparent", PARENT), ("ce_tracestate", "own=1")
    assert goes_on(*own) == (PARENT, "own=1")
    assert goes_on(*own, ("traceparent", f"ff-{TRACE}-{SPAN}-01"), ("tracestate", "a=1")) == (PARENT, "own=1")
    other = PARENT.replace("ab", "cd")
    assert goes_on(*own, ("traceparent", other)) == (other, None)
    assert goes_on(("ce_traceparent", "Ada"), ("ce_tracestate", "Lovelace")) == (None, None)


@given(
    st.binary(max_size=80) | st.text("0123456789abcdf-", max_size=60).map(str.encode), st.binary(max_size=80)
)
def test_any_bytes_are_a_well_formed_context_or_none(parent: bytes, state: bytes) -> None:
    """And what is read is read again as the same."""
    found = trace_context(parent, state)
    if found is not None:
        assert trace_context(found.parent.encode(), (found.state or "").encode()) == found


@pytest.mark.parametrize("name", ["traceparent", "TRACEPARENT", "ce_traceparent", "CE_TraceParent"])
def test_what_links_a_record_reads_what_its_event_does(name: str) -> None:
    """A span of a poll links the records that it brought, and reads headers in any case, too."""
    headers = (
        (name, PARENT.encode()),
        ("TraceState", b"a=1"),
        ("tracestate", b"b=2"),
        ("CE_Tracestate", b"c=3"),
    )
    event = received(*headers)
    assert (event.traceparent, event.tracestate) == (PARENT, "c=3" if "ce" in name[:2].lower() else "a=1,b=2")
    assert read_trace([*ATTRIBUTES, *headers], b"{}") == (event.traceparent, event.tracestate)


def test_what_links_a_record_reads_the_headers_of_what_is_no_event() -> None:
    """Its dead letter has a publisher, too."""
    headers = (
        ("TraceParent", PARENT.encode()),
        ("tracestate", b"a=1"),
        ("ce_time", b"soon"),
        ("ce_own", None),
    )
    assert read_trace(headers, None) == (PARENT, "a=1")
    assert read_trace([*headers, ("traceparent", PARENT.encode())], None) is None
    assert read_trace([("ce_own", b"")], None) is None


def test_what_links_a_record_reads_the_body_of_structured_mode() -> None:
    """The header goes before it; what is no event has its headers."""
    mode = ("Content-Type", b"application/cloudevents+json")
    body = {"specversion": "1.0", "id": "t-1", "source": "/foreign", "type": VERSION.type, "data": {}}
    value = json.dumps({**body, "traceparent": PARENT, "tracestate": "a=1"}).encode()
    other = PARENT.replace("ab", "cd").encode()
    assert read_trace([mode], value) == (PARENT, "a=1")
    assert read_trace([mode, ("TRACEPARENT", other)], value) == (other.decode(), None)
    assert read_trace([mode, ("TRACEPARENT", other)], b"{") == (other.decode(), None)
    assert read_trace([mode], b"{") is None
    assert read_trace([mode], None) is None


def test_a_request_of_a_handler_carries_the_context() -> None:
    """That of the current span; without one, that of the event."""
    event = received(("traceparent", PARENT), ("tracestate", "a=1"))
    assert trace_headers(event) == {"traceparent": PARENT, "tracestate": "a=1"}
    assert trace_headers(received()) == {}
    context = SpanContext(0xAB, 0xCD, is_remote=False, trace_flags=TraceFlags(1))
    with use_span(NonRecordingSpan(context)):
        assert trace_headers(event) == {"traceparent": f"00-{0xAB:032x}-{0xCD:016x}-01"}


def test_baggage_is_not_passed_on() -> None:
    """Decision 27; the handler still sees the header."""
    event = received(("traceparent", PARENT), ("baggage", "user=ada"), ("Baggage", "user=ada"))
    assert set(passed_on(event)) == {"traceparent", "ce_traceparent"}
    assert dict(event.headers)["baggage"] == b"user=ada"


@pytest.mark.parametrize("parent", [f"ff-{TRACE}-{SPAN}-01", "Ada Lovelace", ""])
def test_a_malformed_context_in_an_outbox_is_none(parent: str) -> None:
    """Another program than this bus may have written the row."""
    stamp = Stamp("1", 1, 1, "t", "c", None, 1, None, parent, "a=1")
    row = row_of(BIRTH, "1.0", stamp, b"k", b"{}")
    columns = (1, row["id"], BIRTH, "1.0", "k", row["occurred_at"], row["data"], row["attributes"])
    cause = OutboxEvent.read(columns).cause
    assert cause is not None
    assert (cause.traceparent, cause.tracestate) == (None, None)
