"""CloudEvents in structured mode, and both modes compared: the JSON format and the Kafka binding, by case.

The rows follow the features of CloudEvents' conformance repository (`kafka-protocol-binding.feature`, the
valid and invalid events of `format/json`) and what the SDKs read from Kafka, with events of our own.
"""

import json
import os
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bus import DeadLetter, Event, Reason, StoredRecord
from bus.stages.decode import Expected, decode
from contracts import Catalog

BIRTH = "civil-registry.birth-registered"
CONTRACT = Catalog.open().contract(BIRTH)
VERSION = CONTRACT.version(1)
EXPECTED = Expected(
    VERSION.type.encode(), {VERSION.dataschema.encode(): VERSION}, VERSION, CONTRACT.max_bytes
)
DATA = {"reference": "BRT-0000-A1", "note": "Zoë"}
WHOLE = {"specversion": "1.0", "id": "w-1", "source": "/mycontext/sub", "type": VERSION.type, "data": DATA}
STRUCTURED = b"application/cloudevents+json"


def read(
    body: Any, *headers: tuple[str, bytes | None], content_type: bytes | None = STRUCTURED
) -> Event[Any] | DeadLetter:
    """Return what decoding makes of a value, as JSON unless it is bytes."""
    value = body if isinstance(body, bytes) else json.dumps(body).encode()
    mode = [] if content_type is None else [("content-type", content_type)]
    return decode(StoredRecord("t", 0, 0, 1, b"k", value, (*mode, *headers)), EXPECTED)


def event(*given: Any, **options: Any) -> Event[Any]:
    """Return the event that decoding must make."""
    found = read(*given, **options)
    assert isinstance(found, Event), found
    return found


def refused(*given: Any, **options: Any) -> str:
    """Return why the envelope is malformed, as it must be."""
    found = read(*given, **options)
    assert isinstance(found, DeadLetter), found
    assert found.reason is Reason.MALFORMED_ENVELOPE
    return found.detail


def binary(attributes: dict[str, Any]) -> list[tuple[str, bytes | None]]:
    """Return attributes as headers."""
    named = {**{name: value for name, value in WHOLE.items() if name != "data"}, **attributes}
    return [
        ("content-type" if name == "datacontenttype" else f"ce_{name}", value.encode())
        for name, value in named.items()
    ]


@pytest.mark.parametrize(
    "content_type",
    ["application/cloudevents+json", "application/cloudevents+json; charset=utf-8",
     "application/cloudevents+json;charset=UTF-8", "Application/CloudEvents+JSON",
     "APPLICATION/CLOUDEVENTS+JSON ; Charset=utf-8"],
)  # fmt: skip
def test_the_mode_is_told_by_the_media_type_in_any_case(content_type: str) -> None:
    """Kafka binding, section 3: matched without regard to case, parameters aside."""
    found = event(WHOLE, content_type=content_type.encode())
    assert (found.id, found.source, found.data) == ("w-1", "/mycontext/sub", DATA)


@pytest.mark.parametrize(
    "content_type",
    ["application/cloudevents", "application/cloudevents+jsonx", "application/cloudevents+json-seq",
     "application/cloudevents-batch+json", "application/cloudevents+avro",
     "application/cloudevents+protobuf"],
)  # fmt: skip
def test_another_event_format_is_refused_by_name(content_type: str) -> None:
    """JSON event format, section 3: the media type is `application/cloudevents+json`, exactly."""
    attributes = {name: value for name, value in WHOLE.items() if name != "data"}
    headers = [(f"ce_{name}", str(value).encode()) for name, value in attributes.items()]
    assert "another event format" in refused(DATA, *headers, content_type=content_type.encode())


@pytest.mark.parametrize("content_type", [b"application/json", b"text/plain", None])
def test_a_structured_event_whose_mode_is_not_told_is_refused_with_the_remedy(
    content_type: bytes | None,
) -> None:
    """The detail names both modes and the header to send."""
    detail = refused(WHOLE, content_type=content_type)
    assert "binary mode" in detail
    assert "structured mode" in detail
    assert "content-type: application/cloudevents+json" in detail


def test_without_an_event_in_the_value_the_missing_attribute_is_named() -> None:
    """Plain JSON without attributes is no structured event."""
    assert refused(DATA, content_type=b"application/json") == "Expected attribute `specversion`, got none"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("flag", True, "true"), ("flag", False, "false"), ("number", 10, "10"),
     ("number", -(2**31), "-2147483648"), ("number", 2**31 - 1, "2147483647"), ("text", "text", "text"),
     ("uri", "//authority/path", "//authority/path"),
     ("moment", "2023-03-31T15:12:00Z", "2023-03-31T15:12:00Z"), ("bytes", "TWE=", "TWE=")],
)  # fmt: skip
def test_an_extension_of_each_type_has_its_text(name: str, value: Any, text: str) -> None:
    """JSON event format, section 2.2; CloudEvents, type system: the canonical text of each type."""
    assert event({**WHOLE, name: value}).attributes[f"ce_{name}"] == text.encode()


@pytest.mark.parametrize("value", [1.5, 1.0, 1e3, 2**31, -(2**31) - 1, 2**70, [], {}, ["a"], {"a": 1}])
def test_an_extension_of_another_type_is_refused(value: Any) -> None:
    """A fraction, an exponent, more than 32 bits, a list or an object is no attribute."""
    assert "at an extension attribute" in refused({**WHOLE, "shoesize": value})


@pytest.mark.parametrize(
    "name",
    ["id", "source", "type", "specversion", "subject", "time", "dataschema", "datacontenttype",
     "correlationid", "causationid", "partitionkey", "recordedtime", "service", "traceparent"],
)  # fmt: skip
@pytest.mark.parametrize("value", [25, True, {"xyz": "abc"}, ["a"]])
def test_an_attribute_of_text_is_no_number(name: str, value: Any) -> None:
    """An `id` of 25 and one of "25" would be two events with one name."""
    assert f"`{name}`" in refused({**WHOLE, name: value})


@pytest.mark.parametrize("name", ["MyExtension", "my.extension", "my-ext", "my_ext", "größe", ""])
def test_an_attribute_has_a_name_of_letters_and_digits(name: str) -> None:
    """CloudEvents, naming conventions; the name is not shown, it is a foreigner's own."""
    detail = refused({**WHOLE, name: "bad"})
    assert detail.startswith("Expected a name")
    assert not name or name not in detail


def test_null_is_absent() -> None:
    """JSON event format, section 2.2."""
    absent = dict.fromkeys(("datacontenttype", "dataschema", "subject", "time", "data_base64", "own"))
    found = event({**WHOLE, **absent})
    assert (found.time, found.subject, found.data) == (None, None, DATA)
    assert "ce_own" not in found.attributes


@pytest.mark.parametrize("name", ["specversion", "id", "type", "source"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_required_attribute_is_there(name: str, value: str | None) -> None:
    """And no empty text."""
    assert f"`{name}`" in refused({**WHOLE, name: value})


@pytest.mark.parametrize(
    "wrong",
    [
        *({"time": time} for time in (
            "lunchtime", "", "2018-04-05T18:31Z", "2018-04-05T18:31:00X", "2018-04-05T18:31:00+25:00",
            "2018-04-05T18:31:00+xx:00", "2018-04-05T18:31:00+05", "2018-04-05T18:31:00+0530",
            "2018-W14-4T18:31:00Z", "2018-04-05T18:31:00,5Z", "2018-04-05 18:31:00Z",
            "2018-04-05T24:00:00Z", "2018-02-30T00:00:00Z", "20180405T183100Z", "2018-04-05T12:00:60Z",
            "2018-04-05T18:31:00",
        )),
        {"specversion": "0.9"}, {"datacontenttype": "xyz"}, {"datacontenttype": ""}, {"dataschema": ""},
        {"subject": ""}, {"subject": "a\nb"}, {"id": "a\x00b"}, {"own": ""}, {"own": "\x7f"},
        {"recordedtime": "soon"}, {"startedat": "soon"}, {"source": "a b"},
    ],
)  # fmt: skip
def test_both_modes_refuse_the_same_attribute(wrong: dict[str, str]) -> None:
    """And with the same words."""
    detail = refused({**WHOLE, **wrong})
    if "datacontenttype" not in wrong:
        assert detail == refused(DATA, *binary(wrong), content_type=None)
    else:
        assert refused(DATA, *binary(wrong), content_type=None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2018-04-05T17:31:00Z", datetime(2018, 4, 5, 17, 31, tzinfo=UTC)),
        ("2018-04-05T17:31:00.000000000Z", datetime(2018, 4, 5, 17, 31, tzinfo=UTC)),
        ("2018-04-05T18:31:00+01:00", datetime(2018, 4, 5, 17, 31, tzinfo=UTC)),
        ("2018-04-05T16:31:00-01:00", datetime(2018, 4, 5, 17, 31, tzinfo=UTC)),
        ("2018-04-05t17:31:00z", datetime(2018, 4, 5, 17, 31, tzinfo=UTC)),
        ("2018-04-05T17:31:00.123456789Z", datetime(2018, 4, 5, 17, 31, 0, 123456, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("1990-12-31T15:59:60-08:00", datetime(1991, 1, 1, tzinfo=UTC)),
    ],
)
def test_both_modes_read_the_same_time(text: str, moment: datetime) -> None:
    """RFC 3339, section 5.6."""
    assert event({**WHOLE, "time": text}).time == moment
    assert event(DATA, *binary({"time": text}), content_type=None).time == moment


@pytest.mark.parametrize("source", ["#fragment", "//authority/path", "https://cloudevents.io", "urn:x:y"])
def test_a_source_may_be_relative(source: str) -> None:
    """CloudEvents, `source`: a URI reference."""
    assert event({**WHOLE, "source": source}).source == source


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "text/json", "application/vnd.x+json"],
)
def test_the_content_type_of_the_data_is_one_attribute_in_both_modes(content_type: str) -> None:
    """Kafka binding, section 3.2.1: `datacontenttype` is the header `content-type` of binary mode."""
    written = {"datacontenttype": content_type}
    one, other = event({**WHOLE, **written}), event(DATA, *binary(written), content_type=None)
    assert one.attributes == other.attributes
    assert one.attributes["content-type"] == content_type.encode()
    assert one.data == other.data == DATA


def test_without_a_content_type_the_data_is_json() -> None:
    """JSON event format, section 3.1.2: the implied type is set."""
    assert event(WHOLE).attributes["content-type"] == b"application/json"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x+json", None])
def test_binary_data_is_decoded(content_type: str | None) -> None:
    """JSON event format, section 3.1.2: `data_base64` holds the bytes that binary mode would send."""
    body = {name: value for name, value in WHOLE.items() if name != "data"}
    encoded = b64encode(json.dumps(DATA).encode()).decode()
    assert event({**body, "data_base64": encoded, "datacontenttype": content_type}).data == DATA


@pytest.mark.parametrize("encoded", [7, True, [], "é", "a", "YQ", "Y Q==", "YQ==\n", "_-8="])
def test_what_is_no_base64_is_refused(encoded: Any) -> None:
    """RFC 4648, section 4: its alphabet, with padding, and nothing between."""
    body = {name: value for name, value in WHOLE.items() if name != "data"}
    assert "`data_base64`" in refused({**body, "data_base64": encoded})


def test_binary_data_that_is_no_json_is_told_as_in_binary_mode() -> None:
    """The envelope is right, the data is not."""
    body = {name: value for name, value in WHOLE.items() if name != "data"}
    found = read({**body, "data_base64": b64encode(b"\xff{").decode()})
    assert isinstance(found, DeadLetter)
    assert found == read(b"\xff{", *binary({}), content_type=None)
    assert found.reason is Reason.NOT_JSON


@pytest.mark.parametrize("data", [DATA, None])
def test_data_twice_is_refused(data: Any) -> None:
    """JSON event format, section 3.1.1: one of them; `null` is a value of the data, and no absence."""
    assert "got both" in refused({**WHOLE, "data": data, "data_base64": "e30="})


def not_json(*given: Any, **options: Any) -> str:
    """Return why the data is not what all readers understand alike, as it must be."""
    found = read(*given, **options)
    assert isinstance(found, DeadLetter), found
    assert found.reason is Reason.NOT_JSON
    return found.detail


def test_without_data_both_modes_give_the_same_refusal() -> None:
    """JSON event format, section 3.1.1: no `data` is not the value `null`."""
    body = {name: value for name, value in WHOLE.items() if name != "data"}
    assert not_json(body) == not_json(b"", *binary({}), content_type=None) == "Expected JSON, got none"


def test_binary_data_without_a_type_has_none() -> None:
    """JSON event format, section 3.1.2: no assumption is made; the contract says that it is JSON."""
    body = {name: value for name, value in WHOLE.items() if name != "data"}
    found = event({**body, "data_base64": b64encode(json.dumps(DATA).encode()).decode()})
    assert (found.data, found.attributes.get("content-type")) == (DATA, None)
    assert found.attributes == event(DATA, *binary({}), content_type=None).attributes


def whole(**members: str) -> bytes:
    """Return an event in structured mode whose members, as JSON text, are added to its own."""
    added = "".join(f', "{name}": {text}' for name, text in members.items())
    return f"{json.dumps(WHOLE)[:-1]}{added}}}".encode()


@pytest.mark.parametrize(
    ("member", "place"),
    [("id", "attribute `id`"), ("source", "attribute `source`"), ("type", "attribute `type`"),
     ("specversion", "attribute `specversion`"), ("data", "`data`")],
)  # fmt: skip
def test_a_member_that_stands_twice_is_refused(member: str, place: str) -> None:
    """RFC 8259, section 4: which is the event's? As of two headers, with the same words."""
    for text in ('"w-2"', json.dumps(WHOLE[member]), "null"):
        assert refused(whole(**{member: text})) == f"Expected one value, got two - at {place}"
    if member != "data":
        doubled = refused(DATA, *binary({}), (f"ce_{member}", b"w-2"), content_type=None)
        assert doubled == f"Expected one value, got two - at {place}"


def test_an_own_member_that_stands_twice_is_refused_without_its_name() -> None:
    """It is a foreigner's; its type of content is told by name."""
    detail = refused(whole(adalovelace='"a"')[:-1] + b', "adalovelace": "b"}')
    assert detail == "Expected one value, got two - at an extension attribute"
    body = whole(datacontenttype='"application/json"')[:-1] + b', "datacontenttype": "text/plain"}'
    assert refused(body) == "Expected one value, got two - at attribute `datacontenttype`"


@pytest.mark.parametrize(
    ("data", "place"),
    [('{"reference": "A", "reference": "B"}', "$.reference"),
     ('{"child": {"name": "Zoë", "birth_date": 1, "name": "Zoë"}}', "$.child.name"),
     ('{"parents": [{}, {"ada": 1, "ada": 1}]}', "$.parents[1][*]"),
     ('{"child": 1, "\\u0063hild": 2}', "$.child"),
     ('{"reference": 18446744073709551616}', "$.reference"), ('[-9223372036854775809]', "$[0]"),
     (f"{10**40}", "$")],
)  # fmt: skip
def test_data_that_readers_understand_differently_is_refused_in_both_modes(data: str, place: str) -> None:
    """With the place, by the names of the contract, and no other."""
    body = {name: value for name, value in WHOLE.items() if name != "data"}
    detail = not_json(json.dumps(body)[:-1].encode() + f', "data": {data}}}'.encode())
    assert detail.endswith(f" - at `{place}`")
    assert "ada" not in detail
    assert detail == not_json(data.encode(), *binary({}), content_type=None)
    assert detail == not_json({**body, "data_base64": b64encode(data.encode()).decode()})


def test_a_number_of_64_bits_keeps_its_digits() -> None:
    """In both modes."""
    data = {"least": -(2**63), "most": 2**64 - 1}
    assert event({**WHOLE, "data": data}).data == event(data, *binary({}), content_type=None).data == data


def test_what_is_nested_without_end_is_refused_in_both_modes() -> None:
    """Deeper than the bus can write again."""
    deep = "[" * 300 + "]" * 300
    assert "254 levels" in not_json(deep.encode(), *binary({}), content_type=None)
    body = {name: value for name, value in WHOLE.items() if name != "data"}
    assert "254 levels" in not_json(json.dumps(body)[:-1].encode() + f', "data": {deep}}}'.encode())


@pytest.mark.parametrize("data", ["plain", 7, None, True, [1, {"a": 1.0}], {"big": 18446744073709551615}])
def test_data_is_any_json_value(data: Any) -> None:
    """A text stays a text; it is not read as JSON once more."""
    assert event({**WHOLE, "data": data}).data == data


def test_text_of_another_type_is_what_binary_mode_would_send() -> None:
    """JSON event format, section 3.1.2: an encoded string."""
    found = event({**WHOLE, "datacontenttype": "text/plain", "data": '{"a": 1}'})
    assert found.data == event(b'{"a": 1}', *binary({}), content_type=None).data == {"a": 1}


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"7", b"null"])
def test_json_that_is_no_object_is_no_event(body: bytes) -> None:
    """A batch, too: the Kafka binding has none."""
    assert "CloudEvents JSON object" in refused(body)


def test_bytes_that_are_no_json_are_told() -> None:
    """In structured mode they hold no attributes either."""
    found = read(b"\xff\xfe")
    assert isinstance(found, DeadLetter)
    assert found.reason is Reason.NOT_JSON


PARENT = "00-ab42124a3c573678d4d8b21ba52df3bf-d21f7bc17caa5aba-01"


def test_headers_beside_a_structured_event_are_read() -> None:
    """Kafka binding, section 3.3.3; attributes come from the body alone, also where headers repeat them."""
    found = event(
        WHOLE,
        ("traceparent", PARENT.encode()), ("tracestate", b"a=1"), ("tracestate", b"b=2"), ("x-own", b"\xff"),
        ("ce_id", b"another"), ("ce_subject", b"\x00"), ("CE_TYPE", b"another"),
    )  # fmt: skip
    assert (found.id, found.subject) == ("w-1", None)
    assert (found.traceparent, found.tracestate) == (PARENT, "a=1,b=2")


def test_the_trace_of_the_header_goes_before_that_of_the_body() -> None:
    """The body has the first hop of the event's way, the header the latest."""
    first = PARENT.replace("d21f7bc17caa5aba", "1111111111111111")
    body = {**WHOLE, "traceparent": first, "tracestate": "first=1"}
    assert (event(body).traceparent, event(body).tracestate) == (first, "first=1")
    found = event(body, ("traceparent", PARENT.encode()))
    assert (found.traceparent, found.tracestate) == (PARENT, None)


@pytest.mark.parametrize("change", [str.upper, str.title])
def test_names_of_headers_are_read_in_any_case(change: Any) -> None:
    """As the SDKs do, since some clients change the case of a header's name."""
    headers = [(change(name), value) for name, value in binary({"datacontenttype": "application/json"})]
    found = event(DATA, *headers, content_type=None)
    assert (found.id, found.type, found.attributes["content-type"]) == (
        "w-1",
        VERSION.type,
        b"application/json",
    )
    assert event(WHOLE, (change("content-type"), STRUCTURED), content_type=None).id == "w-1"


def test_an_attribute_in_two_cases_is_doubled() -> None:
    """Which of both would be the event's id?"""
    detail = refused(DATA, *binary({}), ("CE_ID", b"another"), content_type=None)
    assert detail == "Expected one value, got two - at attribute `id`"


@pytest.mark.parametrize("name", ["ce_my-ext", "ce_my.ext", "ce_", "ce_größe", "ce_a b"])
def test_an_attribute_in_a_header_has_a_name_of_letters_and_digits(name: str) -> None:
    """As in structured mode."""
    assert "Expected a name" in refused(DATA, *binary({}), (name, b"x"), content_type=None)


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ([("content-type", b"application/json"), ("content-type", b"text/plain")], "got two"),
        ([("content-type", b"\xff")], "media type"), ([("content-type", b"")], "got none"),
        ([("content-type", b"json")], "media type"),
    ],
)  # fmt: skip
def test_a_wrong_content_type_is_refused(headers: list[tuple[str, bytes]], fault: str) -> None:
    """RFC 2045, section 5.1: it is the attribute `datacontenttype`."""
    assert fault in refused(DATA, *binary({}), *headers, content_type=None)


def test_a_content_type_of_null_is_absent() -> None:
    """Some clients write every header they know."""
    assert event(DATA, *binary({}), ("content-type", None), content_type=None).data == DATA


SHARED = Path(os.environ.get("GOVBUS_SHARED", Path(__file__).resolve().parents[4] / "shared"))


def test_the_shared_records_are_read_as_their_specifications_say() -> None:
    """What stands in each file is the record; what must come of it, here."""
    folder = SHARED / "cases" / "wire"
    if not folder.is_dir():
        pytest.skip("no folder shared/cases/wire here: GOVBUS_SHARED names the folder `shared`")
    wanted: dict[str, Any] = {
        "control-character-in-id": Reason.MALFORMED_ENVELOPE,
        "structured-boolean-extension": lambda found: found.attributes["ce_flag"] == b"true",
        "structured-data-base64": lambda found: found.data["reference"] == "BRT-0000-TEST01",
        "structured-media-type-upper-case": lambda found: found.id == "c-1",
        "structured-traceparent-header": lambda found: found.traceparent is not None,
        "time-leap-second": lambda found: found.time == datetime(1991, 1, 1, tzinfo=UTC),
        "time-lower-case-t-z": lambda found: found.time == datetime(2026, 3, 1, 12, tzinfo=UTC),
        "trace-no-sdk-version-ff": lambda found: found.traceparent is None,
    }
    for name, want in wanted.items():
        case = json.loads((folder / f"{name}.json").read_text())
        headers = [(header, text.encode()) for header, text in case["headers"]]
        found = read(case["value"], *headers, content_type=None)
        assert found.reason is want if isinstance(found, DeadLetter) else want(found), name
