"""The folder that one is in is the catalogue of every command and program, unless another is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from contracts.catalog import Catalog
from contracts.cli import contracts as command
from contracts.errors import NoCatalogError, ProjectError
from contracts.project import PROJECT_FILE, PYPROJECT, REFERENCE_FOLDER, catalog_folder
from tests.unit.contracts.catalogs import AGENCY


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is given a catalogue by its environment."""
    monkeypatch.delenv("GOVBUS_CATALOG", raising=False)


@pytest.fixture
def inside(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory is a small catalogue."""
    monkeypatch.chdir(root)
    return root


def run(*words: str) -> Result:
    """Run the command with stdout and stderr apart."""
    return CliRunner().invoke(command, list(words), prog_name="govbus contracts")


def test_a_command_checks_the_folder_it_runs_in_and_says_so(inside: Path) -> None:
    """Not the catalogue that comes with govbus, whose lint would be clean."""
    assert (run("lint").exit_code, run("lint").stderr) == (0, "catalogue: .\n")
    (inside / AGENCY).write_text("name: [")
    result = run("lint")
    assert (result.exit_code, result.stderr) == (100, "catalogue: .\n")
    assert AGENCY in result.stdout


def test_any_folder_below_it_is_inside_it(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with git."""
    monkeypatch.chdir((inside / AGENCY).parent)
    assert catalog_folder() == inside
    assert run("list").stderr == f"catalogue: {inside}\n"


def test_the_closest_project_wins(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue below another one is its own."""
    closer = inside / "drafts" / "agencies"
    closer.mkdir(parents=True)
    monkeypatch.chdir(closer)
    assert catalog_folder() == inside / "drafts"


def test_a_project_file_names_a_folder_from_where_it_is(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as where the programs are beside the catalogue; without the entry, its own folder."""
    (root.parent / PROJECT_FILE).write_text(f'catalog = "{root.name}"')
    (root.parent / "programs").mkdir()
    monkeypatch.chdir(root.parent / "programs")
    assert catalog_folder() == root
    assert Catalog.open().agencies == Catalog.open(root).agencies
    (root.parent / PROJECT_FILE).write_text('catalog = "reference"')
    assert catalog_folder() == REFERENCE_FOLDER
    (root.parent / PROJECT_FILE).write_text("")
    assert catalog_folder() == root.parent


def test_a_table_of_pyproject_toml_is_a_project_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of ruff and mypy; an empty one too. Beside `govbus.toml` it says nothing."""
    (root.parent / "programs" / "deep").mkdir(parents=True)
    monkeypatch.chdir(root.parent / "programs" / "deep")
    (root.parent / PYPROJECT).write_text(f'[tool.govbus]\ncatalog = "{root.name}"')
    assert catalog_folder() == root
    (root.parent / PYPROJECT).write_text("[tool.govbus]")
    assert catalog_folder() == root.parent
    (root.parent / PROJECT_FILE).write_text('catalog = "programs"')
    (root.parent / PYPROJECT).write_text("tool.govbus = 7")
    assert catalog_folder() == root.parent / "programs"


@pytest.mark.parametrize(
    "text",
    [
        "[project]\nname = 'shop'",
        "[project]\ndependencies = ['govbus']",
        "tool = 'govbus'",
        "[tool.ruff]",
        "neither TOML nor of govb\udcff",
        "",
    ],
)
def test_a_pyproject_toml_without_the_table_is_none(
    text: str, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that uses govbus has one, too; a fault of one that does not is no matter of ours."""
    (inside / "programs").mkdir()
    (inside / "programs" / PYPROJECT).write_text(text, errors="surrogateescape")
    monkeypatch.chdir(inside / "programs")
    assert catalog_folder() == inside


def test_what_is_named_wins(inside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--catalog` over `GOVBUS_CATALOG` over the folder; a line that names it is not told which it is."""
    monkeypatch.setenv("GOVBUS_CATALOG", "reference")
    told = run("show", "civil-registry.birth-registered")
    assert (told.exit_code, told.stderr) == (
        0,
        f"catalogue: {REFERENCE_FOLDER} (the reference catalogue of govbus)\n",
    )
    named = run("show", "tax.refund-paid", "--catalog", str(inside))
    assert (named.exit_code, named.stderr) == (0, "")
    monkeypatch.setenv("GOVBUS_CATALOG", str(inside))
    assert run("show", "civil-registry.birth-registered", "--catalog", "reference").exit_code == 0


def test_without_a_project_nothing_is_assumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what makes a project, and how to name a catalogue."""
    monkeypatch.chdir(tmp_path)
    result = run("lint")
    assert result.exit_code == 2
    for part in (
        "`agencies/`, `govbus.toml` or `[tool.govbus]` of `pyproject.toml`",
        "--catalog",
        "GOVBUS_CATALOG",
        "reference",
    ):
        assert part in result.stderr
    with pytest.raises(NoCatalogError):
        Catalog.open()


def test_a_named_folder_that_is_not_there_is_wrong_usage(inside: Path) -> None:
    """The option is named, and nothing is checked instead."""
    result = run("lint", "--catalog", "nowhere")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'--catalog': there is no folder nowhere" in result.stderr


@pytest.mark.parametrize("text", ["catalog = 7", "catalog", "\udcff"])
@pytest.mark.parametrize(("name", "above"), [(PROJECT_FILE, ""), (PYPROJECT, "[tool.govbus]\n")])
def test_a_project_file_that_cannot_be_read_is_told_with_its_place(
    name: str, above: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never with what it says: it may hold a password."""
    written = f'{above}sasl_password = "hunter2"\n{text}'
    (tmp_path / name).write_text(written, errors="surrogateescape")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError, match=re.escape(str(tmp_path / name))) as caught:
        catalog_folder()
    assert "hunter2" not in str(caught.value)


def test_a_table_that_is_none_is_told(inside: Path) -> None:
    """`[[tool.govbus]]` is a list of tables."""
    (inside / PYPROJECT).write_text('[[tool.govbus]]\ncatalog = "hunter2"')
    found = run("lint")
    assert found.exit_code == 2
    assert f"Expected a table, got another value - at `tool.govbus` of {inside / PYPROJECT}" in found.stderr
    assert "hunter2" not in found.stderr


def test_every_command_finds_its_catalogue_the_one_way() -> None:
    """Each `--catalog` has the same words, and none takes the reference catalogue unasked."""
    helps = {
        (name, option.help)
        for name, found in _commands()
        for option in found.params
        if isinstance(option, click.Option) and "--catalog" in option.opts
    }
    assert len(helps) > 20
    usual = next(text for name, text in helps if name == "contracts lint")
    writing = {"new agency", "new event", "new service", "new subscription", "new version"}
    assert {name for name, text in helps if text != usual} == writing


def _commands() -> Iterator[tuple[str, click.Command]]:
    for point in entry_points(group="govbus.commands"):
        yield from _below(point.name, point.load())


def _below(name: str, found: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, found
    if isinstance(found, click.Group):
        context = click.Context(found)
        for each in found.list_commands(context):
            below = found.get_command(context, each)
            assert below is not None
            yield from _below(f"{name} {each}", below)
