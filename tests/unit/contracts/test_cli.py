"""`govbus contracts`: what is printed, and the exit codes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from contracts.cli import contracts
from contracts.lint.lint import lint
from tests.unit.contracts.catalogs import AGENCY, CONTRACT, FOLDER, SCHEMA, edit, schema, write


def run(*words: str | Path) -> Result:
    """Run the command with stdout and stderr apart."""
    return CliRunner().invoke(contracts, [str(word) for word in words], prog_name="govbus contracts")


def test_a_clean_catalogue_is_silent(root: Path) -> None:
    """Nothing to say is exit code 0 and no output; so is the reference catalogue."""
    for result in (run("lint", "--catalog", root), run("lint", "--catalog", "reference")):
        assert (result.exit_code, result.output) == (0, "")


def test_findings_are_lines_and_exit_100(root: Path) -> None:
    """One line each on stdout, file as seen from here."""
    edit(root, CONTRACT, lambda value: value.update(owner="", contact=""))
    result = run("lint", "--catalog", root)
    assert result.exit_code == 100
    assert [line.split(" ")[1] for line in result.stdout.splitlines()] == ["owner-present", "contact-present"]
    assert f"{CONTRACT}:4:1" in result.stdout
    assert result.stderr == ""


def test_findings_as_json_are_one_object_a_line(root: Path) -> None:
    """For another program: the same, in parts."""
    edit(root, CONTRACT, lambda value: value.pop("owner"))
    result = run("lint", "--catalog", root, "--json")
    assert result.exit_code == 100
    (line,) = result.stdout.splitlines()
    told = json.loads(line)
    assert set(told) == {
        *("file", "line", "column", "code", "severity", "what", "why", "how", "fingerprint"),
    }
    assert (told["code"], told["file"].endswith(CONTRACT)) == ("owner-present", True)


def test_wrong_usage_is_exit_2(root: Path) -> None:
    """A folder that is not there, an option that does not exist, a subject that is missing."""
    for words in (("lint", "--catalog", root / "nowhere"), ("lint", "--fast"), ("show",), ("publish",)):
        assert run(*words).exit_code == 2


def test_a_failure_is_one_line(root: Path) -> None:
    """No traceback: what, why, how to fix, on stderr; exit code 100 where the catalogue is at fault."""
    unknown = run("show", "tax.refund-payed", "--catalog", root)
    write(root, AGENCY, "name: [")
    broken = run("list", "--catalog", root)
    for result, code in ((unknown, 1), (broken, 100)):
        assert (result.exit_code, result.stdout) == (code, "")
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
    assert "did you mean `tax.refund-paid`?" in unknown.stderr


def test_a_folder_that_is_no_catalogue_is_a_finding(tmp_path: Path) -> None:
    """Lint says what a catalogue is, and so does every other command."""
    for command in ("lint", "list"):
        result = run(command, "--catalog", tmp_path)
        assert result.exit_code == 100
        assert "catalog-folder" in result.output


def test_list_shows_contracts_and_services(root: Path) -> None:
    """Two tables: subject, versions, classification, owner; and the services."""
    result = run("list", "--catalog", root)
    assert result.exit_code == 0
    for word in (
        "tax.refund-paid",
        "Refund paid",
        "1.0",
        "personal",
        "Refunds Unit",
        "refund",
        "14 d",
        "web, counter",
    ):
        assert word in result.stdout


def test_list_as_json_is_for_programs(root: Path) -> None:
    """One object with both."""
    told = json.loads(run("list", "--catalog", root, "--json").stdout)
    assert [contract["subject"] for contract in told["contracts"]] == [
        "tax.refund-approved",
        "tax.refund-paid",
    ]
    assert told["services"][0]["deadline_seconds"] == 14 * 86_400


@pytest.mark.parametrize("subject", ["tax.refund-paid", "tax.refund-paid.v1"])
def test_show_tells_the_promises_and_the_fields(root: Path, subject: str) -> None:
    """Every field with type, whether it is required, whether it is personal."""
    told = json.loads(run("show", subject, "--catalog", root, "--json").stdout)
    assert [
        (field["path"], field["type"], field["required"], field["personal"]) for field in told["fields"]
    ] == [
        ("$.reference", "string", True, None),
        ("$.payee", "object", True, None),
        ("$.payee.name", "string", True, "name"),
        ("$.amounts", "array", False, None),
        ("$.amounts[*]", "object", False, None),
        ("$.amounts[*].cents", "integer", False, "finance"),
        ("$.paid_on", "string", False, None),
    ]
    assert told["services"] == ["refund"]
    text = run("show", subject, "--catalog", root).stdout
    for word in ("$.payee.name", "Tax Procedure Act, section 5", "FULL_TRANSITIVE", "urn:govbus:contract"):
        assert word in text


def test_show_ends_where_a_schema_refers_to_itself(root: Path) -> None:
    """Recursion is shown a few levels deep."""
    edit(root, SCHEMA, lambda value: value["properties"].update(parent={"$ref": "#"}))
    assert run("show", "tax.refund-paid", "--catalog", root).exit_code == 0


def test_markup_in_a_title_is_only_text(root: Path) -> None:
    """A catalogue cannot colour the terminal."""
    edit(root, CONTRACT, lambda value: value.update(title="[red]Refund[/red]"))
    assert "[red]Refund[/red]" in run("list", "--catalog", root).stdout


def test_the_catalogue_may_come_from_the_environment(root: Path) -> None:
    """`GOVBUS_CATALOG` names the folder for every command."""
    result = CliRunner().invoke(contracts, ["list", "--json"], env={"GOVBUS_CATALOG": str(root)})
    assert len(json.loads(result.stdout)["contracts"]) == 2


def test_hashes_are_added_where_none_stands(root: Path) -> None:
    """A new version and a new reference get theirs; comments and layout stay."""
    money = {"$schema": schema()["$schema"], "$id": "urn:example:money", "type": "integer"}
    write(root, f"{FOLDER}/money.json", money)
    write(root, f"{FOLDER}/v1.1.json", schema())
    before = (root / CONTRACT).read_text()
    rows = "- file: v1.1.json # new\n  number: '1.1'\n  references:\n    - file: money.json\n"
    write(root, CONTRACT, before.replace("versions:\n", f"versions:\n{rows}"))
    assert run("lint", "--catalog", root).exit_code == 100
    result = run("lint", "--catalog", root, "--write-hashes")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{CONTRACT}: 2 added\n"
    new, money_hash = (
        hashlib.sha256((root / FOLDER / name).read_bytes()).hexdigest()
        for name in ("v1.1.json", "money.json")
    )
    expected = rows.replace("# new\n", f"# new\n  sha256: {new}\n") + f"      sha256: {money_hash}\n"
    assert (root / CONTRACT).read_text() == before.replace("versions:\n", f"versions:\n{expected}")


def test_a_hash_that_stands_is_never_changed(root: Path) -> None:
    """Who changed a published schema is told so, whatever the option."""
    write(root, SCHEMA, {**schema(), "title": "Changed"})
    before = (root / CONTRACT).read_bytes()
    result = run("lint", "--catalog", root, "--write-hashes")
    assert result.exit_code == 100
    assert {line.split(" ")[1] for line in result.stdout.splitlines()} == {"hash-agrees"}
    assert (root / CONTRACT).read_bytes() == before


@pytest.mark.parametrize(
    "rows",
    ["versions: [{number: '1.0', file: v1.0.json}]\n", "versions:\n- {number: '1.0', file: v1.0.json}\n"],
)
def test_a_layout_that_takes_no_line_is_left_alone(root: Path, rows: str) -> None:
    """The error says how to lay it out; the document is as it was."""
    text = (root / CONTRACT).read_text()
    write(root, CONTRACT, text[: text.index("versions:")] + rows)
    before = (root / CONTRACT).read_bytes()
    result = run("lint", "--catalog", root, "--write-hashes")
    assert result.exit_code == 1
    assert "on its own line" in result.stderr
    assert (root / CONTRACT).read_bytes() == before
    assert [path.name for path in (root / FOLDER).iterdir() if path.name.startswith(".")] == []


def test_hashes_keep_the_line_endings(root: Path) -> None:
    """A document with CRLF stays one, also without a last line break."""
    edit(root, CONTRACT, lambda value: value["versions"][0].pop("sha256"))
    text = (root / CONTRACT).read_text().rstrip("\n").replace("\n", "\r\n")
    write(root, CONTRACT, text.encode())
    assert run("lint", "--catalog", root, "--write-hashes").exit_code == 0
    assert (root / CONTRACT).read_bytes().count(b"\r\n") == text.count("\r\n") + 2
    assert lint(root) == ()


@pytest.mark.parametrize("given", ["health.gone.v1", "topics:health.gone.v1", "topic:", ""])
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_leave_names_a_change(command: str, given: str) -> None:
    """Before anything is read: a name without its kind is refused."""
    result = run(command, "--allow-destroy", given)
    assert result.exit_code == 2
    assert "Expected a change as `plan` names it" in result.output
