"""The hooks for pre-commit and the settings for editors do what `contracts/README.md` says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import contracts
from contracts.cli import contracts as command
from tests.unit.contracts.catalogs import CONTRACT, FOLDER, SCHEMA, edit, write
from tests.unit.contracts.histories import committed, edit_contract, in_git

PROJECT = Path(contracts.__file__).parents[1]
HOOKS = yaml.safe_load((PROJECT / ".pre-commit-hooks.yaml").read_text("utf-8"))
README = (PROJECT / "contracts" / "README.md").read_text("utf-8")

CONNECTOR = """connector: http
name: office
agency: tax
sink: {url: "https://office.example/refunds"}
subscribe: {event: tax.refund-paid, version: 1, purpose: ledger}
"""


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repository with the hooks alone, and its commit."""
    folder = tmp_path_factory.mktemp("hooks")
    shutil.copy(PROJECT / ".pre-commit-hooks.yaml", folder)
    return folder, committed(folder)


@pytest.fixture
def agency(root: Path, hooks: tuple[Path, str]) -> Path:
    """A catalogue in git whose configuration names all hooks, with the govbus that runs this test."""
    rows = [{"id": hook["id"], "language": "system"} for hook in HOOKS]
    write(
        root, ".pre-commit-config.yaml", {"repos": [{"repo": str(hooks[0]), "rev": hooks[1], "hooks": rows}]}
    )
    write(root, "connectors/office.yaml", CONNECTOR)
    CliRunner().invoke(command, ["fmt", "--catalog", str(root), "--write"])
    committed(root)
    committed(root, "change")
    return root


def pre_commit(folder: Path, tmp_path: Path) -> tuple[int, str]:
    """Run pre-commit itself on all files."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
        "PRE_COMMIT_COLOR": "never",
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def results(output: str) -> dict[str, str]:
    """Each hook's result by its name."""
    return dict(re.findall(r"^(govbus [a-z ]+?)\.+(?:\(.*\))?(Passed|Failed|Skipped)$", output, re.MULTILINE))


def test_each_hook_passes_or_stops_a_commit(agency: Path, tmp_path: Path) -> None:
    """A sound catalogue passes all; then one fault of each kind stops each."""
    code, output = pre_commit(agency, tmp_path)
    assert (code, set(results(output).values())) == (0, {"Passed"}), output
    assert results(output).keys() == {hook["name"] for hook in HOOKS}

    edit(agency, SCHEMA, lambda schema: schema["properties"]["reference"].update(maxLength=8))
    edit_contract(agency, lambda contract: contract.update(owner=""))
    write(agency, f"{FOLDER}/examples/v1/valid/other.json", '{"reference":"REF-000001"}')
    write(agency, "connectors/office.yaml", CONNECTOR.replace("purpose", "purpos"))
    in_git(agency, "add", "--all")
    code, output = pre_commit(agency, tmp_path)
    assert (code, set(results(output).values())) == (1, {"Failed"}), output
    assert f"{CONTRACT}:" in output
    assert "connectors/office.yaml:5:" in output


def test_the_page_shows_the_hooks_that_there_are() -> None:
    """Each by its id, in a configuration that pre-commit reads."""
    shown = re.findall(r"`\.pre-commit-config\.yaml`:\n\n```yaml\n(.*?)```", README, re.DOTALL)[0]
    (repository,) = yaml.safe_load(shown)["repos"]
    assert [hook["id"] for hook in repository["hooks"]] == [hook["id"] for hook in HOOKS]


def test_the_task_of_an_editor_finds_the_places(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pattern on the page takes file, line, column, code and message of a finding."""
    shown = re.findall(r"`\.vscode/tasks\.json`:\n\n```json\n(.*?)```", README, re.DOTALL)[0]
    (task,) = json.loads(shown)["tasks"]
    pattern = task["problemMatcher"]["pattern"]
    edit_contract(root, lambda contract: contract.update(owner=""))
    monkeypatch.chdir(root)
    assert task["command"] == "govbus contracts lint"
    result = CliRunner().invoke(command, ["lint"])
    found = re.fullmatch(pattern["regexp"], result.stdout.splitlines()[0])
    assert found is not None
    parts = [found[pattern[name]] for name in ("file", "line", "column", "code")]
    assert parts == [CONTRACT, *parts[1:3], "owner-present"]
    assert (root / parts[0]).read_text("utf-8").splitlines()[int(parts[1]) - 1].startswith("owner:")
