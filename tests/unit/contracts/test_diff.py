"""`govbus contracts diff`: what has changed, for who reviews it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from contracts.cli import contracts
from tests.unit.contracts.catalogs import SCHEMA, edit
from tests.unit.contracts.histories import edit_contract, publish


@pytest.fixture
def before(root: Path, tmp_path: Path) -> Path:
    """The sound catalogue as it was; `root` is then changed."""
    return Path(shutil.copytree(root, tmp_path / "before"))


def diff(root: Path, before: Path, *words: str) -> str:
    """What is shown; a change is no failure."""
    said = ["diff", "--catalog", str(root), "--against", str(before), *words]
    result = CliRunner().invoke(contracts, said, prog_name="govbus contracts")
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def change(schema: dict[str, Any]) -> None:
    """A bound lowered, a field added."""
    schema["properties"]["reference"]["maxLength"] = 10
    schema["properties"]["note"] = {"type": "string"}


def test_no_change_shows_nothing(root: Path, before: Path) -> None:
    """In no form."""
    for form in ("text", "json", "markdown"):
        assert diff(root, before, "--format", form) == ""


def test_text_shows_field_change_and_effect(root: Path, before: Path) -> None:
    """First whether the versions read each other; then field by field."""
    publish(root, "1.1", change)
    assert diff(root, before).splitlines() == [
        "tax.refund-paid 1.0 -> 1.1",
        "  readers of 1.1 can read what was sent under 1.0: no",
        "  readers of 1.0 can read what is sent under 1.1: yes",
        "  $            property `note` added - breaks nobody"
        " (OPTIONAL_PROPERTY_ADDED_TO_TOLERANT_CONTENT_MODEL)",
        "  $.reference  `maxLength` from `64` to `10` - can break new readers (MAX_LENGTH_DECREASED)",
    ]


def test_json_shows_the_same_in_parts(root: Path, before: Path) -> None:
    """One object a line."""
    publish(root, "1.1", change)
    (told,) = (json.loads(line) for line in diff(root, before, "--format", "json").splitlines())
    assert (told["subject"], told["old"], told["new"]) == ("tax.refund-paid", "1.0", "1.1")
    assert (told["backward"], told["forward"]) == ("incompatible", "compatible")
    assert told["differences"][1]["new_path"] == "#/properties/reference/maxLength"


def test_markdown_is_a_table(root: Path, before: Path) -> None:
    """For a review page."""
    publish(root, "1.1", change)
    lines = diff(root, before, "--format", "markdown").splitlines()
    assert lines[0] == "### tax.refund-paid 1.0 -> 1.1"
    assert lines[-1] == (
        "| `$.reference` | `maxLength` from `64` to `10` | can break new readers | `MAX_LENGTH_DECREASED` |"
    )


def test_what_came_went_or_was_rewritten_is_shown(root: Path, before: Path) -> None:
    """A contract added, one removed, and a published version that is not what it was."""
    shutil.rmtree(root / "agencies/tax/refund-approved")
    shutil.rmtree(root / "services")
    edit(root, SCHEMA, lambda schema: schema.update(description="Now described."))
    edit_contract(root, lambda contract: contract.update(retention="P1D"))
    assert diff(root, before).splitlines() == [
        "tax.refund-approved 1.0 removed",
        "",
        "tax.refund-paid 1.0 -> 1.0",
        "  readers of 1.0 can read what was sent under 1.0: yes",
        "  readers of 1.0 can read what is sent under 1.0: yes",
        '  $  `description` `"Now described."` added - breaks nobody (DESCRIPTION_CHANGED)',
    ]
    shutil.rmtree(before / "agencies/tax/refund-paid")
    assert "tax.refund-paid 1.0 added" in diff(root, before).splitlines()
