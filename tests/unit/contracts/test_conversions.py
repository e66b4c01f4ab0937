"""From one version's data to another's: which way is taken, what is refused, and what a proof finds."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from contracts import Catalog, Contract, ConversionError
from contracts.lint.conversion_proof import prove
from contracts.lint.lint import lint
from contracts.schema.generated_data import instances
from contracts.validation import CompiledSchema
from contracts.versions.conversion import Conversion
from tests.growing_catalog import GrowingCountry
from tests.unit.contracts.catalogs import CONTRACT, FOLDER, edit, event, rehash, schema, write

PERMIT = "municipality.business-permit-issued"


@pytest.fixture
def country(tmp_path: Path) -> GrowingCountry:
    """An event with versions 1.0, 1.1 and 2.0."""
    return GrowingCountry(tmp_path / "country")


def test_a_way_up_passes_minor_versions_as_they_are(country: GrowingCountry) -> None:
    """Under a backward mode 1.0 is data of 1.1, from which the document leads to 2.0."""
    contract = country.catalog.contract(country.moved)
    route = contract.upcasts(contract.version(1, 0), contract.version(2))
    assert route is not None
    assert [(step.source, step.target) for step in route.steps] == [("1.1", "2.0")]
    assert route.read({"reference": "case-a", "number": 7}) == {"reference": "case-a", "count": 7}


def test_without_a_backward_mode_there_is_no_way_past_a_minor_version(tmp_path: Path) -> None:
    """Under `NONE` nobody says that 1.1 reads 1.0."""
    root = tmp_path / "country"
    country = GrowingCountry(root)
    agency, name = country.moved.split(".")
    path = root / "agencies" / agency / name / "contract.yaml"
    path.write_text(path.read_text().replace("BACKWARD_TRANSITIVE", "NONE"))
    contract = Catalog.open(root).contract(country.moved)
    assert contract.upcasts(contract.version(1, 0), contract.version(2)) is None
    assert contract.upcasts(contract.version(1, 1), contract.version(2)) is not None


def test_a_way_down_leads_to_each_older_major(country: GrowingCountry) -> None:
    """What 2.0 says is said in 1.1 too."""
    contract = country.catalog.contract(country.moved)
    (route,) = contract.companions(contract.version(2))
    assert route.target.number == "1.1"
    assert route.write({"reference": "case-a", "count": 7, "note": {"text": "x"}}) == {
        "reference": "case-a",
        "number": 7,
        "note": "x",
    }
    assert contract.companions(contract.version(1)) == ()


@pytest.mark.parametrize(
    ("template", "data"),
    [
        ({"$eval": "event.secret.more"}, {"secret": "4711"}),
        ({"$eval": "event[event.secret]"}, {"secret": {"4711": 1}}),
        ({"${event.secret}": {"$eval": "event.secret + 1"}}, {"secret": "4711"}),
        ({"$map": {"$eval": "event.secret"}, "each(x)": 1}, {"secret": "4711"}),
        ({"$eval": "number(event.secret)"}, {"secret": "x4711"}),
        ({"$eval": "event.secret(1)"}, {"secret": "4711"}),
        ({"$eval": "range(0, event.secret)"}, {"secret": 4711}),
        ({"$eval": "now"}, {}),
    ],
)
def test_a_conversion_that_fails_quotes_no_data(template: Any, data: Any) -> None:
    """It names subject, versions and document."""
    step = Conversion("a.b", "1.0", "2.0", "up.json", template)
    with pytest.raises(ConversionError) as caught:
        step.apply(data)
    assert "4711" not in str(caught.value)
    for word in ("`a.b`", "1.0", "2.0", "`up.json`"):
        assert word in str(caught.value)


def test_data_that_looks_like_a_document_is_only_data() -> None:
    """No operator or expression in the data is evaluated."""
    data = {"a": {"$eval": "range(0, 9)"}, "b": "${event}", "c": [{"$if": "1"}]}
    template = {
        "a": {"$eval": "event.a"},
        "b": "${event.b}",
        "c": {"$map": {"$eval": "event.c"}, "each(x)": {"$eval": "x"}},
    }
    assert Conversion("a.b", "1.0", "2.0", "up.json", template).apply(data) == data


@pytest.mark.parametrize(
    "template",
    [
        {"$find": [{"$eval": "1"}], "each(x)": "true"},
        {"$reduce": [1], "each(a, x)": 1, "initial": 0},
        {"a": [{"$fromNow": "1 day"}]},
        {"a": "${9 ** 9}"},
        {"a${9 ** 9}": 1},
        {"$map": [1], "each(a)": {"$map": [1], "each(b)": {"$map": [1], "each(c)": 1}}},
    ],
)
def test_what_has_no_bound_is_refused(template: Any) -> None:
    """Such a document is no conversion; the catalogue does not open."""
    assert Conversion("a.b", "1.0", "2.0", "up.json", template).read.faults


def test_plain_values_and_allowed_operators_are_conversions() -> None:
    """Nothing is found in them."""
    fine = {"a": 1, "$$b": [None, {"$merge": [{"$eval": "event"}]}], "c": {"$switch": {"$default": 1}}}
    assert Conversion("a.b", "1.0", "2.0", "up.json", fine).read.faults == ()


def grown(root: Path, up: Any, *, number: str = "2.0") -> Contract:
    """The contract with a second version of the same schema, made from the first by a document."""
    for name in ("v1.0", f"v{number}"):
        write(root, f"{FOLDER}/{name}.json", schema())
    write(root, f"{FOLDER}/up.json", up)
    rows = [
        {"number": "1.0", "file": "v1.0.json"},
        {"number": number, "file": f"v{number}.json", "upcast": {"from": "1.0", "file": "up.json"}},
    ]
    edit(root, CONTRACT, lambda value: value.update(versions=rows))
    return Catalog.open(root).contract("tax.refund-paid")


def test_a_conversion_that_keeps_its_word_is_proved(root: Path) -> None:
    """All made-up and written events arrive."""
    (proof,) = prove(grown(root, {"$eval": "event"}), 300, [event(), {"no": "event"}])
    assert (proof.tried, proof.failed, proof.what) == (301, 0, None)


@pytest.mark.parametrize(
    ("up", "word"),
    [
        ({"$eval": "event.nothing"}, 'object has no property "nothing"'),
        ({"reference": {"$eval": "event.reference"}}, "not valid for version 2.0"),
        ({"$merge": [{"$eval": "event"}, {"reference": "the-same-for-all"}]}, "partition key"),
        ({"$merge": [{"$eval": "event"}, {"new": 1}]}, "undeclared"),
    ],
)
def test_a_conversion_that_does_not_is_found_out(root: Path, up: Any, word: str) -> None:
    """The proof says what goes wrong, and for how many."""
    (proof,) = prove(grown(root, up), 50)
    assert proof.failed == proof.tried == 50
    assert word in (proof.what or "")


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('{\n"$eval" "event"}', "document-syntax", 2),
        ('{"$eval": "event",\n"$eval": "event"}', "document-duplicate-key", 2),
        ('{\n"$eval": "str(event"}', "conversion-readable", 2),
        ('{\n"$find": "event"}', "conversion-readable", 2),
    ],
)
def test_what_cannot_be_read_is_told_once_and_in_its_own_file(
    root: Path, text: str, code: str, line: int
) -> None:
    """Not as absent too, and not as one that fails for each event."""
    grown(root, {"$eval": "event"})
    write(root, f"{FOLDER}/up.json", text)
    rehash(root)
    found = [(each.code, each.place.line) for each in lint(root) if each.place.file == f"{FOLDER}/up.json"]
    assert found == [(code, line)]
    assert "upcast-present" not in {each.code for each in lint(root)}


def test_a_minor_conversion_must_be_idempotent(root: Path) -> None:
    """Data of 1.1 passes for data of 1.0, so the document must leave it alone."""
    same = {"$merge": [{"$eval": "event"}, {"reference": {"$eval": "event.reference"}}]}
    (proof,) = prove(grown(root, same, number="1.1"), 50)
    assert proof.what is None
    backwards = {"amounts": {"$reverse": {"$eval": "event.amounts"}}}
    turned = {"$if": "'amounts' in event", "then": backwards, "else": {}}
    (proof,) = prove(grown(root, {"$merge": [{"$eval": "event"}, turned]}, number="1.1"), 50)
    assert "idempotent" in (proof.what or "")


def test_the_permit_of_the_reference_catalogue_goes_both_ways() -> None:
    """500 made-up events each; `govbus contracts prove` sends 10,000."""
    proofs = list(prove(Catalog.open().contract(PERMIT), 500))
    assert [(proof.kind, proof.tried, proof.what) for proof in proofs] == [
        ("upcast", 500, None),
        ("downcast", 500, None),
    ]


def test_every_event_of_the_reference_catalogue_can_be_made_up() -> None:
    """Ten instances of each latest version, the same whenever they are asked for."""
    for contract in Catalog.open().contracts.values():
        version = contract.version()
        made = [
            list(islice(instances(*version.writer_documents, version.is_valid, seed=7), 10)) for _ in range(2)
        ]
        assert made[0] == made[1]
        assert len(made[0]) == 10
        assert all(version.is_valid(data) for data in made[0])


@pytest.mark.parametrize(
    "document",
    [
        {"type": "integer", "multipleOf": 7, "minimum": 1, "maximum": 20},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$", "maxLength": 9},
        {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 3},
        {"type": "array", "contains": {"const": 5}, "prefixItems": [{"type": "string"}], "minItems": 2},
        {"type": "object", "patternProperties": {"^x-": {"type": "integer"}}, "minProperties": 2},
        {"type": "object", "additionalProperties": {"type": "boolean"}, "propertyNames": {"maxLength": 3}},
        {"oneOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]},
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "properties": {"a": {}, "b": {}}},
        {"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}},
        {"allOf": [{"minimum": 3}, {"type": "integer"}, {"maximum": 4}]},
        True,
    ],
)
def test_instances_keep_what_is_asked(document: Any) -> None:
    """Each keyword is met often enough that a hundred instances are found."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    asked = {**dialect, **document} if isinstance(document, dict) else dialect
    compiled = CompiledSchema(asked, {}, assert_formats=True)
    assert len(list(islice(instances(asked, {}, compiled.is_valid), 100))) == 100


def test_where_nothing_is_valid_the_search_ends() -> None:
    """A schema without instances gives none, soon."""
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "integer", "not": {}}
    assert list(instances(document, {}, lambda _data: False)) == []
