"""What a change means to each reader: by the fields it reads, and no others."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner, Result

from contracts.cli import contracts
from contracts.schema.dialect import DRAFT_07, DRAFT_2020_12, Schema
from contracts.schema.projection import project
from tests.unit.contracts.histories import Change, publish, subscribe


def run(root: Path, *words: str) -> Result:
    """Compare a catalogue with the one before it."""
    said = ["impact", "--catalog", str(root), "--against", str(root.parent / "before"), *words]
    return CliRunner().invoke(contracts, said, prog_name="govbus contracts")


def effects(root: Path) -> dict[str, str]:
    """What the change means, by agency."""
    told = (json.loads(line) for line in run(root, "--format", "json").stdout.splitlines())
    return {each["agency"]: each["effect"] for each in told}


@pytest.fixture
def read(root: Path) -> Path:
    """The sound catalogue with three readers, as it was before."""
    subscribe(root, "treasury", ["$.reference"])
    subscribe(root, "statistics", ["$.paid_on", "$.amounts[*].cents"])
    subscribe(root, "archive", ["$"])
    shutil.copytree(root, root.parent / "before")
    return root


def note(schema: dict[str, Any]) -> None:
    """A new optional field."""
    schema["properties"]["note"] = {"type": "string", "maxLength": 9}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda schema: schema["properties"]["reference"].update(maxLength=10),
            ("breaks", "invisible", "breaks"),
        ),
        (lambda schema: schema["required"].append("paid_on"), ("invisible", "breaks", "breaks")),
        (
            lambda schema: schema["$defs"]["payee"]["properties"]["name"].update(minLength=1),
            ("invisible", "invisible", "breaks"),
        ),
        (note, ("invisible", "invisible", "sees")),
    ],
)
def test_a_change_is_judged_for_each_reader(
    read: Path, change: Change, expected: tuple[str, str, str]
) -> None:
    """It breaks who reads the field; to others it is invisible."""
    publish(read, "1.1", change)
    told = effects(read)
    assert (told["treasury"], told["statistics"], told["archive"]) == expected
    assert run(read).exit_code == (100 if "breaks" in expected else 0)


def test_a_break_shows_its_event(read: Path) -> None:
    """Whom it hits, when, and by what."""
    publish(read, "1.1", lambda schema: schema["properties"]["reference"].update(maxLength=10))
    lines = run(read).stdout.splitlines()
    assert lines[0] == "tax.refund-paid 1.0 -> 1.1"
    start = lines.index("  breaks: treasury (ledger), which reads $.reference")
    assert lines[start + 1].startswith("    with version 1.1, on events of 1.0: ")
    witness = json.loads(lines[start + 2].partition("example event: ")[2])
    assert len(witness["reference"]) > 10


def test_no_change_means_nothing_to_anybody(read: Path) -> None:
    """Silent, exit code 0."""
    assert (run(read).exit_code, run(read).output) == (0, "")


def test_a_reader_of_another_major_version_is_not_asked(read: Path) -> None:
    """A new major version is a topic of its own."""
    publish(read, "2.0", lambda schema: schema["properties"]["reference"].update(maxLength=10))
    assert effects(read) == {}


PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


def projected(schema: Schema, fields: list[str]) -> dict[str, Any]:
    """A schema without references, cut down to fields."""
    return dict(project((schema, {}), fields)[0])


@pytest.mark.parametrize("dialect", [DRAFT_2020_12, DRAFT_07])
def test_a_projection_keeps_what_is_said_about_its_fields(dialect: str) -> None:
    """Behind references, in items, in alternatives; and nothing about others."""
    schema = {
        "$schema": dialect,
        "type": "object",
        "properties": {"people": {"type": "array", "items": {"$ref": "#/definitions/person"}}, "note": {}},
        "required": ["people", "note"],
        "definitions": {"person": {"allOf": [PERSON]}},
    }
    reader = jsonschema_rs.validator_for(projected(schema, ["$.people[*].name"]))
    assert reader.is_valid({"people": [{"name": "A"}]})
    assert reader.is_valid({"people": [{"name": "A", "age": "unknown"}], "note": 1})
    faults: list[dict[str, Any]] = [{"people": [{"name": 1}]}, {"people": [{}]}, {"people": {}}, {}]
    for wrong in faults:
        assert not reader.is_valid(wrong)


def test_a_projection_reaches_other_documents() -> None:
    """What is said of a field in another document is still said."""
    person = {"$schema": DRAFT_2020_12, "$id": "urn:example:person", **PERSON}
    schema = {"$schema": DRAFT_2020_12, "properties": {"owner": {"$ref": "urn:example:person"}}}
    references = {"urn:example:person": person}
    registry = jsonschema_rs.Registry(list(references.items()))
    own = dict(project((schema, references), ["$.owner.name"])[0])
    reader = jsonschema_rs.validator_for(own, registry=registry)
    assert reader.is_valid({"owner": {"name": "A", "age": "unknown"}})
    assert not reader.is_valid({"owner": {"name": 1}})


def test_a_projection_accepts_whatever_the_whole_accepts() -> None:
    """Over schemas put together at random, with a fixed seed."""
    draw = random.Random(11)
    accepted = 0
    for _ in range(300):
        schema = {"$schema": DRAFT_2020_12, **_drawn(draw, 3), "$defs": {"d": _drawn(draw, 2)}}
        fields = draw.sample(["$.a", "$.a.b", "$.b.c", "$.c[*].a", "$.c[*]", "$.b"], 2)
        whole = jsonschema_rs.validator_for(schema)
        reader = jsonschema_rs.validator_for(projected(schema, fields))
        for _ in range(40):
            event = _event(draw, 3)
            if whole.is_valid(event):
                accepted += 1
                assert reader.is_valid(event), (schema, fields, event)
    assert accepted > 1_000


def _drawn(draw: random.Random, depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if draw.random() < 0.2:
        schema["type"] = draw.choice(["object", "array", "integer"])
    if draw.random() < 0.3:
        schema["required"] = draw.sample("abc", 1)
    if not depth:
        return schema
    if draw.random() < 0.8:
        schema["properties"] = {name: _drawn(draw, depth - 1) for name in draw.sample("abc", 2)}
    for keyword in ("allOf", "anyOf", "oneOf"):
        if draw.random() < 0.2:
            schema[keyword] = [_drawn(draw, depth - 1) for _ in range(2)]
    for keyword in ("items", "not", "if", "then", "else", "contains"):
        if draw.random() < 0.1:
            schema[keyword] = _drawn(draw, depth - 1)
    if depth == 3 and draw.random() < 0.2:
        schema["$ref"] = "#/$defs/d"
    return schema


def _event(draw: random.Random, depth: int) -> Any:
    if not depth or draw.random() < 0.2:
        return draw.choice([1, "x"])
    if draw.random() < 0.2:
        return [_event(draw, depth - 1) for _ in range(draw.randint(0, 2))]
    return {name: _event(draw, depth - 1) for name in draw.sample("abc", draw.randint(0, 3))}
