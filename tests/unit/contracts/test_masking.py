"""What is shown of an event's data: what its contract declares and does not mark, and nothing else."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import Catalog, Contract, ContractVersion, DataPath, GrantedFields, KeyRule, Mask, parse_path
from contracts.project import REFERENCE_FOLDER


def version_of(properties: Mapping[str, Any], personal: Mapping[str, str], **more: Any) -> ContractVersion:
    """Return a version with these properties and marks."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "properties": dict(properties), **more,
    }  # fmt: skip
    version = ContractVersion(1, 0, schema, "")
    Contract(
        "north.case-opened", "t", "d", "o", "c", "personal", personal, "Act", 7, "NONE",
        KeyRule("field", "$.reference"), (version,),
    )  # fmt: skip
    return version


PERSON = {"type": "object", "properties": {"name": {"type": "string"}, "city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("properties", "personal", "data", "shown", "hidden"),
    [
        ({"a": {}, "b": {}}, {"$.a": "name"}, {"a": "Ada", "b": 1}, {"a": "***", "b": 1}, ("$.a",)),
        ({"a": {}}, {"$.a": "name"}, {"a": None}, {"a": "***"}, ("$.a",)),
        ({"p": PERSON}, {"$.p": "name"}, {"p": {"city": "C"}}, {"p": "***"}, ("$.p",)),
        (
            {"p": PERSON}, {"$.p.name": "name"}, {"p": {"name": "Ada", "city": "C"}},
            {"p": {"name": "***", "city": "C"}}, ("$.p.name",),
        ),
        (
            {"l": {"items": PERSON}}, {"$.l[*].name": "name"}, {"l": [{"name": "Ada"}, {"name": "Eve"}]},
            {"l": [{"name": "***"}, {"name": "***"}]}, ("$.l[*].name",),
        ),
        ({"l": {"items": {}}}, {"$.l[*]": "name"}, {"l": ["Ada", "Eve"]}, {"l": ["***", "***"]}, ("$.l[*]",)),
        ({"l": {"items": {}}}, {"$.l[0]": "name"}, {"l": ["Ada", 1]}, {"l": ["***", "***"]}, ("$.l[*]",)),
        # What nobody has declared, its name too: a newer minor version, a map by person, a free object.
        ({"a": {}}, {}, {"a": 1, "Ada": 2, "x": 3}, {"a": 1, "***": "***"}, ("$['***']",)),
        ({"m": {"additionalProperties": {}}}, {}, {"m": {"Ada": 1}}, {"m": {"***": "***"}}, ("$.m['***']",)),
        ({"l": {"type": "array"}}, {}, {"l": ["Ada"]}, {"l": "***"}, ("$.l",)),
        # A text where an object with a marked field may stand, too.
        (
            {"p": {"anyOf": [{"type": "string"}, PERSON]}}, {"$.p.name": "name"}, {"p": "Ada"}, {"p": "***"},
            ("$.p",),
        ),
    ],
)  # fmt: skip
def test_what_is_marked_or_not_declared_is_hidden(
    properties: Any, personal: Any, data: Any, shown: Any, hidden: Any
) -> None:
    """Whole places: the name of a hidden place stays, and is listed once."""
    masked = Mask(version_of(properties, personal)).apply(data)
    assert masked.data == shown
    assert masked.hidden == hidden


def test_a_reference_that_leads_to_itself_is_followed() -> None:
    """As deep as the data is, up to a limit behind which everything is hidden."""
    tree = {"type": "object", "properties": {"name": {}, "next": {"$ref": "#/$defs/tree"}}}
    version = version_of({"tree": {"$ref": "#/$defs/tree"}}, {}, **{"$defs": {"tree": tree}})
    data: Any = {"name": "leaf"}
    for _ in range(300):
        data = {"next": data}
    shown = Mask(version).apply({"tree": data}).data
    assert json.dumps(shown).count('"next"') > 50
    assert "leaf" not in json.dumps(shown)


def test_an_agency_sees_what_it_was_granted() -> None:
    """Of personal data and of the rest alike; personal data only where it is asked for."""
    version = version_of({"a": {}, "b": {}, "p": PERSON}, {"$.p.name": "name"})
    data = {"a": 1, "b": 2, "p": {"name": "Ada", "city": "C"}}
    granted = Mask(version, ["$.a", "$.p"])
    assert granted.apply(data).data == {"a": 1, "b": "***", "p": {"name": "***", "city": "C"}}
    asked = Mask(version, ["$.a", "$.p.name"], personal=True)
    assert asked.apply(data).data == {"a": 1, "b": "***", "p": {"name": "Ada", "city": "***"}}


def test_who_may_not_see_a_place_is_told() -> None:
    """Also of a place above or below a mark."""
    mask = Mask(version_of({"a": {}, "p": PERSON}, {"$.p.name": "name"}))
    assert [mask.hides(path) for path in ("$.a", "$.p", "$.p.name", "$.p.city", "$.x")] == [
        False, True, True, False, True,
    ]  # fmt: skip
    assert [mask.knows(path) for path in ("$.a", "$.p.name", "$.x")] == [True, True, False]


def test_no_example_of_the_reference_catalogue_shows_a_marked_value() -> None:
    """Each text at a marked place of each example, and nothing of what is not marked is lost."""
    catalog, seen = Catalog.open("reference"), 0
    for file in REFERENCE_FOLDER.glob("agencies/*/*/examples/v*/valid/*.json"):
        contract = catalog.contract(f"{file.parts[-6]}.{file.parts[-5]}")
        version, example = contract.version(int(file.parts[-3][1:])), json.loads(file.read_text())
        masked = Mask(version).apply(example)
        marked = [path for path in contract.personal_fields if _at(example, path)]
        assert {value for path in marked for value in _at(masked.data, path)} <= {"***"}
        assert Mask(version, personal=True).apply(example).data == example
        seen += len(marked)
    assert seen > 50


def _at(data: Any, path: str) -> list[Any]:
    found = [data]
    for step in path.removeprefix("$").replace("[*]", ".*").split(".")[1:]:
        if step == "*":
            found = [item for value in found if isinstance(value, list) for item in value]
        else:
            found = [value[step] for value in found if isinstance(value, dict) and step in value]
    return found


ADA = {"name": "Ada", "city": "C"}


@pytest.mark.parametrize(
    ("fields", "data", "seen"),
    [
        ((), {"a": 1}, {"a": 1}),
        (("$",), {"a": 1}, {"a": 1}),
        (("$.a",), {"b": 2, "a": [ADA], "c": 3}, {"a": [ADA]}),
        (("$.a", "$"), {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        (("$.p.name", "$.p.city"), {"p": {**ADA, "age": 1}}, {"p": ADA}),
        (("$.p.name", "$.p"), {"p": ADA}, {"p": ADA}),
        (("$.p", "$.p.name"), {"p": ADA}, {"p": ADA}),
        (("$.p.name",), {"p": {"city": "C"}}, {"p": {}}),
        (("$.p.name",), {"p": None}, {"p": None}),
        # Where something else stands than an object: a text, a number, a list.
        (("$.p.name",), {"p": "Ada"}, {}),
        (("$.p.name",), {"p": 7}, {}),
        (("$.p.name",), {"p": [ADA]}, {}),
        (
            ("$.l[*].name",),
            {"l": [ADA, {"city": "C"}, "Eve", None]},
            {"l": [{"name": "Ada"}, {}, None, None]},
        ),
        (("$.l[*].name",), {"l": ADA}, {"l": {}}),
        (("$.l[*]",), {"l": [1, 2]}, {"l": [1, 2]}),
        (("$.l[1].name",), {"l": [ADA, ADA, ADA]}, {"l": [None, {"name": "Ada"}]}),
        (("$.l[1]", "$.l[*].name"), {"l": [ADA, ADA]}, {"l": [{"name": "Ada"}, ADA]}),
        (("$.l[5]",), {"l": [ADA]}, {"l": [None]}),
        (("$['full name']",), {"full name": 1, "a": 2}, {"full name": 1}),
        (("$.a",), {}, {}),
    ],
)
def test_a_program_sees_the_fields_of_its_grant(fields: Any, data: Any, seen: Any) -> None:
    """And of others not even the names; whoever looks sees no more of them."""
    granted = GrantedFields(fields)
    assert granted.of(data) == seen
    assert granted.is_everything == (seen == data and "$" in granted.paths)


VALUES = st.recursive(
    st.none() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
PATHS = st.sampled_from(["$.a", "$.a.b", "$.a[*]", "$.a[1].c", "$.b[*].a", "$.c[0]", "$.b.c"])


@given(VALUES, st.lists(PATHS, min_size=1))
def test_nothing_is_seen_that_was_not_there_or_not_granted(inner: Any, fields: list[str]) -> None:
    """To see twice is to see the same; more fields never show less; the data itself stays as it is."""
    data = {"a": inner, "b": inner, "c": inner}
    before = json.dumps(data)
    granted = GrantedFields(fields)
    seen = granted.of(data)
    assert json.dumps(data) == before
    assert granted.of(seen) == seen
    assert granted.within(data, seen) == data
    assert seen.keys() <= {parse_path(path)[0] for path in fields}
    for path in fields:
        if "*" not in path:
            there = DataPath.parse(path)
            assert there.look_up(seen) == there.look_up(data)


@pytest.mark.parametrize(
    ("fields", "whole", "edited", "result"),
    [
        (("$",), {"a": 1}, {"b": 2}, {"b": 2}),
        (("$.a",), {"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": 2}),
        (("$.a",), {"a": 1, "b": 2}, {}, {"b": 2}),
        (("$.p.name",), {"p": ADA}, {"p": {"name": "Eve"}}, {"p": {"name": "Eve", "city": "C"}}),
        (("$.p.name",), {"p": ADA}, {}, {"p": {"city": "C"}}),
        (("$.p.name",), {"p": "Ada"}, {}, {"p": "Ada"}),
        (("$.p.name",), {}, {"p": {"name": "Eve"}}, {"p": {"name": "Eve"}}),
        (
            ("$.l[*].name",),
            {"l": [ADA, ADA]},
            {"l": [{"name": "Eve"}]},
            {"l": [{"name": "Eve", "city": "C"}]},
        ),
        (("$.l[0].name",), {"l": [ADA, 7]}, {"l": [{"name": "Eve"}]}, {"l": [{**ADA, "name": "Eve"}, 7]}),
    ],
)
def test_what_is_edited_leaves_other_fields_as_they_are(
    fields: Any, whole: Any, edited: Any, result: Any
) -> None:
    """Those that are not granted; one that is granted may be changed, added and removed."""
    assert GrantedFields(fields).within(whole, edited) == result


def test_whoever_looks_sees_the_granted_item_alone() -> None:
    """As a program does."""
    version = version_of({"l": {"type": "array", "items": PERSON}}, {})
    mask = Mask(version, ("$.l[1].name",))
    assert mask.apply({"l": [ADA, ADA]}).data == {
        "l": [{"name": "***", "city": "***"}, {"name": "Ada", "city": "***"}]
    }
    assert [mask.hides(path) for path in ("$.l[1].name", "$.l[0].name", "$.l[*].name")] == [False, True, True]
