"""What is shown of an event's data: what its contract declares and does not mark, and nothing else."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from contracts import Catalog, Contract, ContractVersion, KeyRule, Mask
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
