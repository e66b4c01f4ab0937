"""Every rule of lint has a catalogue that keeps it and one that breaks it: each a change of the sound one.

`fixtures/lint/<rule>.yaml` holds both, under `pass` and `fail`: file to change. A file is named in short
(`FILES`) or by its path. A change is the whole document; or, by JSON pointer, what is set in it (`null`
removes, `+` appends); or `null`, which removes the file; or one of `$link`, `$hex`, `$repeat` and `$copy`.
"""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.lint.lint import RULES, lint
from tests.unit.contracts.catalogs import (
    AGENCY,
    CONTRACT,
    FOLDER,
    INVALID,
    SCHEMA,
    SERVICE,
    VALID,
    rehash,
    write,
)

FIXTURES = Path(__file__).parent / "fixtures" / "lint"
TODAY = date(2026, 6, 15)
SUBSCRIPTION = "agencies/tax/subscriptions/tax.refund-paid.yaml"
FILES = {
    "agency": AGENCY,
    "contract": CONTRACT,
    "schema": SCHEMA,
    "valid": VALID,
    "invalid": INVALID,
    "service": SERVICE,
    "sub": SUBSCRIPTION,
    "config": "catalog.yaml",
    "waivers": "waivers.yaml",
    "refund-paid": FOLDER,
    "money": f"{FOLDER}/money.json",
    "newest": f"{FOLDER}/newest.json",
    "up": f"{FOLDER}/up.json",
    **{f"v{number}": f"{FOLDER}/v{number}.json" for number in ("1.1", "1.2", "2.0")},
}


def apply(root: Path, changes: dict[str, Any]) -> None:
    """Change the sound catalogue as a fixture says; hashes follow, unless it is about them."""
    stale = changes.pop("$stale", False)
    for name, change in changes.items():
        change_file(root, FILES.get(name, name), change)
    if (root / CONTRACT).exists() and not stale:
        add_hashes(root, changes.get("contract"))


def change_file(root: Path, file: str, change: Any) -> None:
    """Change one file, or folder."""
    path = root / file
    if change is None:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    elif isinstance(change, str):
        write(root, file, change)
    elif isinstance(change, dict) and "$link" in change:
        path.symlink_to(change["$link"])
    elif isinstance(change, dict) and "$hex" in change:
        write(root, file, bytes.fromhex(change["$hex"]))
    elif isinstance(change, dict) and "$repeat" in change:
        write(root, file, repeated(change))
    elif isinstance(change, dict) and "$copy" in change:
        copy(root, FILES[change["$copy"]], file)
    elif isinstance(change, dict) and any(key.startswith("/") for key in change):
        patch(root, file, change)
    else:
        write(root, file, with_fingerprints(root, change))


def repeated(change: dict[str, Any]) -> str:
    """A text many times over."""
    text, times = change["$repeat"]
    return str(text) * int(times)


def copy(root: Path, source: str, file: str) -> None:
    """Copy a file; or an event, under another name."""
    if (root / source).is_file():
        write(root, file, (root / source).read_bytes())
        return
    shutil.copytree(root / source, root / file)
    text = (root / file / "contract.yaml").read_text()
    write(root, f"{file}/contract.yaml", text.replace("refund-paid", Path(file).name))
    subscribe(root, f"tax.{Path(file).name}")


def subscribe(root: Path, subject: str) -> None:
    """Let somebody read an event."""
    subscription = {
        "subject": subject, "version": 1, "purpose": f"audit-{subject.partition('.')[2][:10].strip('-')}",
        "legal_basis": "Audit Act, section 1", "fields": ["$.reference"], "approved_by": "Refunds Unit",
        "approved_on": "2026-01-01", "expires": "2027-01-01",
    }  # fmt: skip
    write(root, f"agencies/tax/subscriptions/{subject}.yaml", subscription)


def fan(size: int) -> dict[str, Any]:
    """Definitions of which each refers to the next one twice."""
    following = [{"$ref": f"#/$defs/a{number + 1}"} for number in range(size)]
    twice = {f"a{number}": {"allOf": [each, each]} for number, each in enumerate(following)}
    return {**twice, f"a{size}": {"title": "Last"}} if size else {}


def patch(root: Path, file: str, change: dict[str, Any]) -> None:
    """Set things in a document by JSON pointer; a further version begins as the first one."""
    path = root / file
    if not path.exists() and path.suffix == ".json":
        shutil.copy(root / SCHEMA, path)
    value = json.loads(path.read_text()) if path.suffix == ".json" else yaml.safe_load(path.read_text())
    if size := change.pop("$fan", 0):
        value["$defs"].update(fan(size))
    for pointer, new in change.items():
        *steps, last = pointer.split("/")[1:]
        node = value
        for step in steps:
            node = node[int(step)] if isinstance(node, list) else node.setdefault(step, {})
        if last == "+":
            node.append(new)
        elif new is None:
            node.pop(last, None)
        else:
            node[last] = repeated(new) if isinstance(new, dict) and "$repeat" in new else new
    write(root, file, value)


def add_hashes(root: Path, change: Any) -> None:
    """Give each version and reference its hash; a fixture may take one away."""
    contract = yaml.safe_load((root / CONTRACT).read_text())
    for row in contract["versions"]:
        for listed in (row, *row.get("references", ())):
            listed.setdefault("sha256", "0" * 64)
    if isinstance(change, dict) and "/versions/0/sha256" in change:
        contract["versions"][0].pop("sha256")
    write(root, CONTRACT, contract)
    rehash(root)


def with_fingerprints(root: Path, change: Any) -> Any:
    """Put in for `$<rule>` the fingerprint of the finding of that rule."""
    text = json.dumps(change)
    for finding in lint(root, TODAY) if '"$' in text else ():
        text = text.replace(f'"${finding.code}"', f'"{finding.fingerprint}"')
    return json.loads(text)


def codes(root: Path) -> set[str]:
    """The codes of all findings."""
    return {finding.code for finding in lint(root, TODAY)}


def fixture(code: str, kind: str) -> dict[str, Any]:
    """One half of a rule's fixture."""
    changes = yaml.safe_load((FIXTURES / f"{code}.yaml").read_text(encoding="utf-8"))[kind]
    assert isinstance(changes, dict)
    return changes


@pytest.fixture(autouse=True)
def _subscribed(root: Path) -> None:
    subscribe(root, "tax.refund-paid")


def test_every_rule_has_its_fixture() -> None:
    """No rule is without one, none is left over, and no code stands for two rules."""
    assert sorted(rule.code for rule in RULES) == sorted(path.stem for path in FIXTURES.iterdir())


@pytest.mark.parametrize("code", sorted(rule.code for rule in RULES))
def test_what_keeps_the_rule_is_clean(root: Path, code: str) -> None:
    """Nothing at all is found, so the fixture is about its rule alone."""
    apply(root, fixture(code, "pass"))
    assert codes(root) == set()


@pytest.mark.parametrize("code", sorted(rule.code for rule in RULES))
def test_what_breaks_the_rule_is_found(root: Path, code: str) -> None:
    """The rule's own code is among what is found."""
    apply(root, fixture(code, "fail"))
    assert code in codes(root)


def test_references_are_followed_in_the_document_that_says_them(root: Path) -> None:
    """A property leads to another document, and on within that one: its example counts."""
    uri = "https://tax.example/notes"
    note = {"description": "What else is known.", "$ref": "#/$defs/text"}
    text = {"type": "string", "maxLength": 40, "examples": ["Paid in two parts."]}
    dialect = "https://json-schema.org/draft/2020-12/schema"
    write(
        root,
        f"{FOLDER}/notes.json",
        {"$schema": dialect, "$id": uri, "type": "null", "$defs": {"note": note, "text": text}},
    )
    patch(root, SCHEMA, {"/properties/note": {"$ref": f"{uri}#/$defs/note"}})
    patch(root, CONTRACT, {"/versions/0/references": [{"file": "notes.json"}]})
    add_hashes(root, None)
    assert codes(root) == set()
