"""Faults that lint finds, in many forms, and where; each rule's own fixture is in `test_lint_rules`."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.lint.lint import lint
from tests.unit.contracts.catalogs import (
    AGENCY,
    CONTRACT,
    FOLDER,
    INVALID,
    SCHEMA,
    SERVICE,
    VALID,
    edit,
    event,
    rehash,
    schema,
    told,
    write,
)

Fault = Callable[[Path], Any]


def change(file: str, **fields: object) -> Fault:
    """A fault that sets top-level fields of one document."""
    return lambda root: edit(root, file, lambda value: value.update(fields))


def remove(file: str, field: str) -> Fault:
    """A fault that removes a top-level field of one document."""
    return lambda root: edit(root, file, lambda value: value.pop(field))


def version(**fields: object) -> Fault:
    """A fault that sets fields of the contract's only version."""
    return lambda root: edit(root, CONTRACT, lambda value: value["versions"][0].update(fields))


def milestone(**fields: object) -> Fault:
    """A fault that sets fields of the service's only milestone."""
    return lambda root: edit(root, SERVICE, lambda value: value["milestones"][0].update(fields))


def property_(**properties: object) -> Fault:
    """A fault that sets properties of the schema."""
    return lambda root: edit(root, SCHEMA, lambda value: value["properties"].update(properties))


def subscribed(**fields: object) -> Fault:
    """A fault in a subscription; without any, a sound subscription."""
    document = {
        "subject": "tax.refund-paid", "version": 1, "purpose": "check-refunds", "fields": ["$.payee.name"],
        "legal_basis": "Audit Act, section 1", "approved_by": "Payments", "approved_on": "2026-01-01",
        "expires": "2999-12-31", **fields,
    }  # fmt: skip
    return lambda root: write(root, f"agencies/tax/subscriptions/{document['subject']}.yaml", document)


def subscribed_twice(root: Path) -> None:
    """Two subscriptions of one name."""
    subscribed()(root)
    folder = root / "agencies/tax/subscriptions"
    shutil.copy(folder / "tax.refund-paid.yaml", folder / "tax.refund-paid.again.yaml")


def text(file: str, content: str | bytes) -> Fault:
    """A fault that writes a file."""
    return lambda root: write(root, file, content)


def linked(root: Path) -> None:
    """Put a link out of the catalogue in the schema's place."""
    outside = shutil.move(root / SCHEMA, root.parent / "outside.json")
    (root / SCHEMA).symlink_to(outside)


def folder_linked(root: Path) -> None:
    """Put a link to a folder out of the catalogue in an event's place."""
    outside = shutil.move(root / FOLDER, root.parent / "outside")
    (root / FOLDER).symlink_to(outside)


def in_place_of_schema(root: Path, make: Callable[[Path], None]) -> None:
    """Make something else of the schema file's name."""
    (root / SCHEMA).unlink()
    make(root / SCHEMA)


def array_as_schema(root: Path) -> None:
    """Write an array where a schema belongs."""
    write(root, SCHEMA, "[]")
    rehash(root)


def twice(root: Path) -> None:
    """List the version a second time."""
    edit(root, CONTRACT, lambda value: value["versions"].append(dict(value["versions"][0])))


def second_milestone(root: Path) -> None:
    """Let the same event stand for two hops."""
    edit(root, SERVICE, lambda value: value["milestones"].append(dict(value["milestones"][0])))


def reference_without_id(root: Path) -> None:
    """List a further schema that has no `$id`."""
    write(root, f"{FOLDER}/money.json", {"$schema": schema()["$schema"], "type": "integer"})
    version(references=[{"file": "money.json", "sha256": "0" * 64}])(root)


def converted(document: object) -> Fault:
    """A fault that adds version 2.0, the same as 1.0, made from it by a document."""

    def fault(root: Path) -> None:
        write(root, f"{FOLDER}/up.json", document)
        newer = {"number": "2.0", "upcast": {"from": "1.0", "file": "up.json"}}
        edit(root, CONTRACT, lambda value: value["versions"].append({**value["versions"][0], **newer}))

    return fault


def without_hash(root: Path) -> None:
    """Take the version's hash away."""
    edit(root, CONTRACT, lambda value: value["versions"][0].pop("sha256"))


def reserved(root: Path) -> None:
    """Call an agency by a name the bus keeps."""
    write(
        root, "agencies/govbus/agency.yaml", (root / AGENCY).read_text().replace("name: tax", "name: govbus")
    )


def empty_key(root: Path) -> None:
    """Let the reference be empty, and show it in an example."""
    property_(reference={"type": "string"})(root)
    write(root, VALID, {**event(), "reference": ""})


def both_read_differently(root: Path) -> None:
    """A pattern whose end means another place to Python than to ECMA 262."""
    property_(note={"type": "string", "pattern": "^a$"})(root)
    write(root, f"{FOLDER}/examples/v1/invalid/line-break.json", {**event(), "note": "a\n"})


FAULTS: dict[str, list[Fault]] = {
    "catalog-folder": [lambda root: shutil.rmtree(root / "agencies")],
    "document-missing": [
        lambda root: (root / AGENCY).unlink(),
        lambda root: (root / SCHEMA).unlink(),
        lambda root: in_place_of_schema(root, Path.mkdir),
        lambda root: in_place_of_schema(root, os.mkfifo),
        version(file="v9.json"),
    ],
    "document-outside": [linked, folder_linked, version(file="../../../../outside.json")],
    "document-too-large": [
        text(AGENCY, "# " + "x" * 300_000),
        text(SCHEMA, '{"description": "' + "x" * 5_000_000 + '"}'),
    ],
    "document-too-deep": [
        text(AGENCY, "[" * 10_000 + "]" * 10_000),
        text(AGENCY, "".join(f"{' ' * depth}a:\n" for depth in range(100))),
        text(SCHEMA, "[" * 10_000 + "]" * 10_000),
        text(VALID, '{"a":' * 10_000 + "1" + "}" * 10_000),
    ],
    "document-encoding": [
        text(AGENCY, b"\xef\xbb\xbfname: tax\n"),
        text(SCHEMA, b"\xef\xbb\xbf{}"),
        text(CONTRACT, b"title: \xff\n"),
        text(SERVICE, "name: refund\n".encode("utf-16")),
    ],
    "document-syntax": [
        text(AGENCY, "name: [tax\n"),
        text(AGENCY, "name: tax\n---\nname: tax\n"),
        text(AGENCY, "name: \x07tax\n"),
        text(SCHEMA, "{,}"),
        text(SCHEMA, '{"maximum": NaN}'),
        text(SCHEMA, '{"maximum": ' + "9" * 5_000 + "}"),
        text(VALID, ""),
    ],
    "document-duplicate-key": [
        text(AGENCY, "name: tax\nname: tax\n"),
        text(SCHEMA, '{"type": "object",\n "type": "array"}'),
    ],
    "document-plain-yaml": [
        text(AGENCY, "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
        text(AGENCY, "name: !!python/name:os.system tax\n"),
        text(AGENCY, "? [tax]\n: name\n"),
        text(AGENCY, "<<: {name: tax}\n"),
        text(AGENCY, "name: !!binary dGF4\n"),
        text(AGENCY, "name: &unused tax\n"),
    ],
    "document-structure": [
        text(AGENCY, ""),
        change(AGENCY, colour="red"),
        change(CONTRACT, retention="P1Y"),
        change(CONTRACT, max_bytes=2_000_000),
        change(CONTRACT, subject="Tax.Refund"),
        change(CONTRACT, versions=[]),
        change(CONTRACT, personal_fields={"payee.name": "name"}),
        change(CONTRACT, personal_fields={"$.payee.name": "colour"}),
        change(CONTRACT, title="a\x1b[31mb"),
        version(number=1.0),
        version(number="0.1"),
        change(SERVICE, category=""),
        change(SERVICE, channels=["fax"]),
        remove(CONTRACT, "key"),
    ],
    "name-agrees": [
        change(AGENCY, name="customs"),
        change(CONTRACT, subject="tax.paid"),
        change(SERVICE, name="x"),
    ],
    "name-reserved": [reserved],
    "hash-agrees": [lambda root: write(root, SCHEMA, {**schema(), "title": "Changed"})],
    "version-once": [twice],
    "schema-object": [array_as_schema],
    "reference-id": [reference_without_id],
    "conversion-readable": [
        converted({"$reduce": [1], "each(a, x)": 1, "initial": 0}),
        converted({"reference": {"$eval": "trim(event.reference"}}),
        converted({"reference": {"$eval": "2 ** 9"}}),
    ],
    "conversion-ends": [
        version(upcast={"from": "1.0", "file": "up.json"}),
        version(downcast={"to": "9.9", "file": "down.json"}),
    ],
    "service-deadline": [remove(SERVICE, "deadline")],
    "owner-present": [remove(CONTRACT, "owner"), change(CONTRACT, owner=" ")],
    "contact-present": [remove(CONTRACT, "contact"), change(CONTRACT, contact="ask us")],
    "classification-agrees": [
        change(CONTRACT, classification="internal"),
        change(CONTRACT, personal_fields={}),
        change(CONTRACT, personal_fields={"$.payee.name": "health"}),
    ],
    "legal-basis-present": [remove(CONTRACT, "legal_basis")],
    "personal-field-exists": [
        change(CONTRACT, personal_fields={"$.payee.nam": "name"}),
        change(CONTRACT, personal_fields={"$.payee[*].name": "name"}),
    ],
    "key-field-exists": [
        change(CONTRACT, key={"path": "$.ref"}),
        change(CONTRACT, key={"path": "$.payee"}, personal_fields={"$.payee.name": "name"}),
        change(CONTRACT, key={"path": "$.amounts[0].cents"}, personal_fields={"$.payee.name": "name"}),
        change(CONTRACT, key={"path": "$"}),
        property_(reference={"type": ["string", "null"]}),
    ],
    "key-field-required": [change(CONTRACT, key={"path": "$.paid_on"}), change(SCHEMA, required=["payee"])],
    "key-not-personal": [
        change(CONTRACT, key={"path": "$.payee.name"}),
        change(CONTRACT, key={"path": "$.payee.name"}, personal_fields={"$.payee": "name"}),
    ],
    "dialect-declared": [remove(SCHEMA, "$schema"), change(SCHEMA, **{"$schema": "urn:mine"})],
    "reference-resolves": [
        property_(x={"$ref": "#/$defs/nobody"}),
        property_(x={"$ref": "https://example.com/schema.json"}),
        property_(x={"$ref": "/etc/passwd"}),
        property_(x={"$ref": "file:///etc/passwd"}),
        property_(x={"$ref": "#/properties/x"}),
    ],
    "schema-compiles": [
        change(SCHEMA, type="objekt"),
        property_(x={"pattern": "("}),
        change(SCHEMA, required=5),
    ],
    "hash-present": [without_hash],
    "file-listed": [lambda root: write(root, f"{FOLDER}/v2.0.json", schema())],
    "example-present": [
        lambda root: (root / VALID).unlink(),
        lambda root: (root / INVALID).unlink(),
    ],
    "example-passes": [
        lambda root: write(root, VALID, {**event(), "paid_on": "soon"}),
        change(CONTRACT, max_bytes=10),
        lambda root: write(root, VALID, {**event(), "amounts": [{"cents": 2**64}]}),
        lambda root: write(
            root, VALID, json.dumps({**event(), "amounts": [{"cents": 12}]}).replace("12", "1e400")
        ),
    ],
    "example-fails": [lambda root: write(root, INVALID, event())],
    "example-key": [empty_key],
    "validators-agree": [both_read_differently],
    "example-version": [lambda root: write(root, f"{FOLDER}/examples/v2/valid/x.json", event())],
    "service-owner-exists": [change(SERVICE, owner="customs")],
    "service-event-exists": [
        milestone(after=None, event="tax.refund-gone"),
        change(SERVICE, start="tax.nothing"),
    ],
    "milestone-reachable": [milestone(after="tax.refund-paid"), milestone(after="tax.nobody")],
    "milestone-once": [second_milestone],
    "end-is-milestone": [change(SERVICE, ends=["tax.refund-approved"])],
    "service-category-known": [change(SERVICE, category="fun")],
    "service-channels": [remove(SERVICE, "channels"), change(SERVICE, channels=[])],
    "hop-deadline": [milestone(deadline="P15D")],
    "subscription-once": [subscribed_twice],
    "subscription-event-exists": [subscribed(subject="tax.refund-gone")],
    "subscription-version-exists": [subscribed(version=2)],
    "subscription-fields-named": [subscribed(fields=[])],
    "subscription-field-exists": [subscribed(fields=["$.payee.nam"])],
    "subscription-legal-basis": [subscribed(legal_basis=None)],
    "subscription-approved": [
        subscribed(approved_by=""),
        subscribed(approved_on=None),
        subscribed(approved_on="2999-01-01"),
    ],
    "subscription-expires": [subscribed(expires=None)],
    "subscription-expired": [subscribed(expires="2020-01-01")],
}
CASES = [
    pytest.param(code, fault, id=f"{code}-{n}")
    for code, faults in FAULTS.items()
    for n, fault in enumerate(faults)
]


def codes(root: Path) -> set[str]:
    """The codes of all findings."""
    return {finding.code for finding in lint(root)}


def test_a_sound_catalogue_has_no_findings(root: Path) -> None:
    """What keeps every rule is clean."""
    assert lint(root) == ()


@pytest.mark.parametrize(("code", "fault"), CASES)
def test_the_fault_is_found(root: Path, code: str, fault: Fault) -> None:
    """Each fault is found by its rule, told in one printable line of the promised form."""
    fault(root)
    found = [finding for finding in lint(root) if finding.code == code]
    assert found
    for finding in found:
        assert re.fullmatch(r"[^\s:]+:[0-9]+:[0-9]+ [a-z-]+ .+ - .+ - .+", str(finding))
        assert str(finding).isprintable()


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        (change(CONTRACT, owner=""), f"{CONTRACT}:4:1"),
        (version(file="v9.json"), f"{FOLDER}/v9.json:1:1"),
        (change(CONTRACT, key={"path": "$.ref"}), f"{CONTRACT}:15:3"),
        (text(AGENCY, "name: tax\ntitle: x\nname: tax\n"), f"{AGENCY}:3:1"),
        (text(SCHEMA, '{"type": "object",\n  "type": "array"}'), f"{SCHEMA}:2:3"),
        (text(VALID, '{\n  "a": 1,\n}'), f"{VALID}:3:1"),
        (property_(reference={"$ref": "#/nowhere"}), f"{SCHEMA}:6:7"),
        (milestone(deadline="P15D"), f"{SERVICE}:10:3"),
    ],
)
def test_a_finding_says_where(root: Path, fault: Fault, place: str) -> None:
    """File, line and column are those of the thing at fault."""
    fault(root)
    assert place in [str(finding.place) for finding in lint(root)]


def test_one_bad_contract_does_not_hide_another(root: Path) -> None:
    """A contract that cannot be read leaves the others checked, and its events known to services."""
    write(root, "agencies/tax/refund-approved/contract.yaml", "title: [")
    edit(root, CONTRACT, lambda value: value.pop("owner"))
    assert codes(root) == {"document-syntax", "owner-present"}


def test_a_schema_may_refer_to_itself(root: Path) -> None:
    """Recursion through properties is no loop: it ends with the data."""
    property_(parent={**told("Case before it."), "$ref": "#"})(root)
    assert lint(root) == ()


def test_a_draft_07_schema_is_read(root: Path) -> None:
    """The dialect is that of `$schema`: draft-07 keeps its own keywords."""
    write(
        root,
        SCHEMA,
        {
            **schema(),
            "$schema": "http://json-schema.org/draft-07/schema#",
            "dependencies": {"paid_on": ["reference"]},
        },
    )
    rehash(root)
    assert lint(root) == ()


def test_a_reference_reaches_another_file_by_its_id(root: Path) -> None:
    """A schema listed under `references` is found by its `$id`, and its hash is kept as the version's own."""
    money = {"$schema": schema()["$schema"], "$id": "urn:example:money", "type": "integer"}
    write(root, f"{FOLDER}/money.json", money)
    property_(tip={**told("Extra.", 1), "$ref": "urn:example:money"})(root)
    version(references=[{"file": "money.json", "sha256": "0" * 64}])(root)
    assert lint(root) == ()
    write(root, f"{FOLDER}/money.json", {**money, "type": "string"})
    assert "hash-agrees" in codes(root)
