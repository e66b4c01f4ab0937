"""What `contracts/README.md` shows is true: its commands run, its documents load, its table is whole."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

import contracts
from contracts.cli import contracts as command
from contracts.documents.shapes import AgencyShape, ContractShape, ServiceShape, SubscriptionShape
from contracts.lint.lint import lint

README = (Path(contracts.__file__).parent / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ govbus contracts (.+)$", README, re.MULTILINE)
DOCUMENTS = re.findall(r"`((?:agencies|services|catalog\.)[^`]+)`:\n\n```\w+\n(.*?)```", README, re.DOTALL)


def write_documents(root: Path) -> None:
    """Write the documents the page shows."""
    for file, text in DOCUMENTS:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("words", COMMANDS)
def test_its_commands_run(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command is clean, run where its documents are."""
    write_documents(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, shlex.split(words))
    assert (result.exit_code, result.stderr.startswith("error")) == (0, False)


def test_its_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The Python shown prints what it says."""
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    exec(compile(code, "README.md", "exec"), {})  # the page's own code
    assert "Expected `string`, got `integer` - at `$.reference`" in capsys.readouterr().out


def test_its_contract_is_clean_once_hashed(tmp_path: Path) -> None:
    """Only its hash is missing, and a reader."""
    write_documents(tmp_path)
    assert len(DOCUMENTS) == 5
    assert {finding.code for finding in lint(tmp_path)} == {"hash-present", "event-used"}


@pytest.mark.parametrize(
    ("document", "shape"),
    [
        ("an `agency.yaml`", AgencyShape),
        ("a subscription", SubscriptionShape),
        ("a service", ServiceShape),
        ("a `contract.yaml`", ContractShape),
    ],
)
def test_its_tables_name_every_field(document: str, shape: type[BaseModel]) -> None:
    """No field of a document is missing, none is invented."""
    table = README.partition(f"## What {document} says")[2].partition("\n## ")[0]
    named = [
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(named) == sorted(shape.model_fields)
