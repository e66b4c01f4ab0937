"""`govbus new`, from an empty folder to a country whose lint and tests are clean."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from jsonschema import Draft7Validator

from contracts import Catalog, Document, read_yaml_documents
from contracts.cli import contracts as command
from contracts.commands.new import new as new_command
from contracts.lint.lint import lint
from tests.unit.contracts import catalogs

SUBJECT = "land-registry.title-moved"
FOLDER = "agencies/land-registry/title-moved"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("GOVBUS_CATALOG", raising=False)
    return folder


def new(*words: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(new_command, list(words))


def test_an_event_begins_in_an_empty_folder(here: Path) -> None:
    """Its agency is made too, and lint asks for nothing but a reader."""
    result = new("event", SUBJECT)
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "agencies/land-registry/agency.yaml",
            f"{FOLDER}/contract.yaml",
            f"{FOLDER}/v1.0.json",
            f"{FOLDER}/examples/v1/valid/example.json",
            f"{FOLDER}/examples/v1/invalid/incomplete.json",
            ".schemas/agency.schema.json",
            ".schemas/contract.schema.json",
        ],
    )
    assert [(finding.code, finding.severity) for finding in lint(here)] == [("event-used", "warning")]
    contract = Catalog.open(here).contract(SUBJECT)
    assert contract.version().is_valid({"reference": "CASE-000001", "decided_on": "2026-03-02"})


def test_an_event_is_drafted_from_data(here: Path) -> None:
    """The first sample becomes the example that passes; the key is what looks most like one."""
    (here / "sample.json").write_text(
        json.dumps([{"note": "a", "case_id": "A-1"}, {"note": "b", "case_id": "A-2"}])
    )
    result = new("event", SUBJECT, "--from", "sample.json")
    assert result.exit_code == 0
    assert "real people" in result.stderr
    contract = yaml.safe_load((here / FOLDER / "contract.yaml").read_text())
    assert contract["key"]["path"] == "$.case_id"
    example = json.loads((here / FOLDER / "examples/v1/valid/example.json").read_text())
    assert example == {"note": "a", "case_id": "A-1"}
    codes = {finding.code for finding in lint(here)}
    assert not codes & {"example-present", "example-passes", "example-fails", "key-field-exists"}
    assert {"legal-basis-present", "hash-present"} <= codes
    assert "fill in" in result.stderr


def test_an_event_is_drafted_from_a_schema(here: Path) -> None:
    """Without data, an example is made for it, from the schema's own examples where it has any."""
    (here / "schema.json").write_text(json.dumps(catalogs.schema()))
    assert new("event", SUBJECT, "--from", "schema.json").exit_code == 0
    codes = {finding.code for finding in lint(here)}
    assert not codes & {"example-present", "example-passes", "example-fails", "schema-compiles"}


def test_nothing_is_overwritten(here: Path) -> None:
    """The second time it says so and leaves all as it is."""
    new("event", SUBJECT)
    (here / FOLDER / "v1.0.json").write_text("mine")
    result = new("event", SUBJECT)
    assert (result.exit_code, "nothing was written" in result.stderr) == (1, True)
    assert (here / FOLDER / "v1.0.json").read_text() == "mine"


@pytest.mark.parametrize("name", ["Land.moved", "land", "land.dead-letters", "../x.y", "govbus.x", "a.b.c"])
def test_an_unfit_name_is_refused(here: Path, name: str) -> None:
    """Before anything is written."""
    assert new("event", name).exit_code == 1
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("event",),
        ("event", SUBJECT, "--minor"),
        ("version", SUBJECT),
        ("agency", "x", "--from", "y"),
        ("law", "x"),
    ],
)
def test_wrong_usage_is_told(here: Path, words: tuple[str, ...]) -> None:
    """With exit code 2."""
    assert new(*words).exit_code == 2


def test_a_link_out_of_the_catalogue_is_not_followed(here: Path, tmp_path: Path) -> None:
    """Nothing is written outside."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (here / "agencies").symlink_to(outside)
    assert new("event", SUBJECT).exit_code == 1
    assert list(outside.iterdir()) == []


def test_an_unusable_schema_is_told(here: Path) -> None:
    """A schema that does not compile, or that no object keeps, is no contract's."""
    for schema, code in (
        ({"$schema": "https://example.org/x"}, "dialect-declared"),
        ({"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}}, "reference-resolves"),
    ):
        (here / "schema.json").write_text(json.dumps(schema))
        result = new("event", SUBJECT, "--from", "schema.json")
        assert result.exit_code == 100
        assert result.stderr.startswith(f"catalogue: .\nerror: schema.json:1:1 {code} ")
        assert not (here / "agencies").exists()


@pytest.mark.parametrize(("kind", "number", "count"), [("--minor", "1.1", 1), ("--major", "2.0", 2)])
def test_the_next_version_is_a_copy_and_a_row(root: Path, kind: str, number: str, count: int) -> None:
    """The rest of `contract.yaml` stays; a new major version gets examples of its own."""
    before = (root / catalogs.CONTRACT).read_text()
    result = new("version", "tax.refund-paid", kind, "--catalog", str(root))
    assert result.exit_code == 0, result.stderr
    assert (root / catalogs.CONTRACT).read_text().startswith(before.rstrip())
    CliRunner().invoke(command, ["lint", "--catalog", str(root), "--write-hashes"])
    contract = Catalog.open(root).contract("tax.refund-paid")
    assert contract.version().number == number
    assert contract.version().schema == contract.version(1, 0).schema
    assert len(list((root / catalogs.FOLDER / "examples").iterdir())) == count


def test_an_unusual_layout_is_left_alone(root: Path) -> None:
    """A row is not forced in where it cannot stand; nothing else changes."""
    value = yaml.safe_load((root / catalogs.CONTRACT).read_text())
    text = yaml.safe_dump({**value, "versions": []}).replace(
        "versions: []", f"versions: {json.dumps(value['versions'])}"
    )
    (root / catalogs.CONTRACT).write_text(text)
    result = new("version", "tax.refund-paid", "--minor", "--catalog", str(root))
    assert (result.exit_code, "on its own lines" in result.stderr) == (1, True)
    assert (root / catalogs.CONTRACT).read_text() == text
    assert not (root / catalogs.FOLDER / "v1.1.json").exists()


KINDS: tuple[tuple[str, ...], ...] = (
    ("agency", "court"),
    ("event", "court.case-closed"),
    ("subscription", "keep-file"),
    ("service", "court-case"),
    ("subscriber", "open-file"),
    ("publisher", "close_case", "--event", "court.case-closed"),
    ("connector", "cases", "--event", "court.case-closed"),
)


def test_a_country_and_all_that_is_added_pass_lint_and_their_own_tests(here: Path) -> None:
    """As they are, without a line of one's own; and nothing is written twice."""
    assert new("country").exit_code == 0
    for words in KINDS:
        result = new(*words)
        assert result.exit_code == 0, result.stderr
    written = sorted(here.rglob("*.yaml"))
    assert len(written) == 11
    for file in written:
        assert faults_in_editors(file) == [], file
    checked = CliRunner().invoke(command, ["lint"])
    assert (checked.exit_code, checked.stdout) == (0, ""), checked.stdout
    formatted = CliRunner().invoke(command, ["fmt"])
    assert (formatted.exit_code, formatted.stdout) == (0, "")
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    for again in (("country",), *KINDS[:2], *KINDS[3:]):
        assert new(*again).exit_code == 1
    assert before == {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    own = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    # pytest-asyncio, which a newcomer does not have, warns of a setting of its own.
    tested = subprocess.run([*own, "-p", "no:asyncio"], cwd=here, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout
    assert "4 passed" in tested.stdout


def faults_in_editors(file: Path) -> list[str]:
    """What an editor underlines in a file, by the schema that its first line names."""
    first = file.read_text("utf-8").splitlines()[0]
    schema = (file.parent / first.removeprefix("# yaml-language-server: $schema=")).read_text("utf-8")
    validator = Draft7Validator(json.loads(schema))
    (document,) = read_yaml_documents(file.read_bytes(), str(file))
    assert isinstance(document, Document)
    return [error.message for error in validator.iter_errors(document.value)]


def test_an_event_is_read_for_another_purpose_and_by_its_own_agency(here: Path) -> None:
    """Where event and agency are named; each is a document of its own, and none is written twice."""
    new("country")
    shop, reads = "business-register.shop-registered", "licensing-office"
    for reader in (reads, "business-register"):
        result = new("subscription", "count-shops", "--event", shop, "--agency", reader)
        assert result.exit_code == 0, result.stderr
    again = new("subscription", "count-shops", "--event", shop, "--agency", reads)
    assert (again.exit_code, "change it" in again.stderr) == (1, True)
    granted = {key for key, one in Catalog.open(here).subscriptions.items() if one.subject == shop}
    assert granted == {
        (reads, "issue-licence"), (reads, "count-shops"), ("business-register", "count-shops"),
    }  # fmt: skip


def test_a_country_may_have_a_folder_of_its_own(here: Path) -> None:
    """Its name is the folder's; the folder is the project."""
    assert new("country", "atlantis").exit_code == 0
    assert set(Catalog.open(here / "atlantis").agencies) == {"business-register", "licensing-office"}
    assert [path.name for path in here.iterdir()] == ["atlantis"]


@pytest.mark.parametrize("name", ["bus", "contracts.py", "two words", "../x", "class", "ärger"])
def test_a_program_that_would_hide_a_module_is_refused(here: Path, name: str) -> None:
    """Before anything is written: it would be imported instead of govbus."""
    new("country")
    before = sorted(here.iterdir())
    for kind in ("publisher", "subscriber", "connector"):
        assert new(kind, name).exit_code == 1
    assert before == sorted(here.iterdir())


def test_nothing_is_written_into_the_catalogue_that_comes_with_govbus(here: Path) -> None:
    """It is not one's own."""
    result = new("agency", "moon", "--catalog", "reference")
    assert (result.exit_code, "of your own" in result.stderr) == (2, True)
