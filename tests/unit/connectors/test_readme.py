"""The README's connector works as it is written: its own tests pass, it is sound, and it publishes."""

import inspect
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from bus.testing import InMemoryCluster
from connectors import load
from connectors.configuration.contract_check import check_contracts
from contracts import Catalog
from tests.unit.connectors.country import event_ids, runner_of, until

README = Path(__file__).parents[3] / "connectors" / "README.md"


def snippets(language: str) -> list[str]:
    """The README's blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_example_file_is_sound(tmp_path: Path, catalog: Catalog) -> None:
    """The format shown is the format read, and it fits the reference catalogue."""
    file = tmp_path / "example.yaml"
    file.write_text(snippets("yaml")[0])
    configs, findings = load([file], {"REGISTER_PASSWORD": "x", "PERMITS_TOKEN": "y"})
    assert [str(finding) for finding in findings] == []
    assert [str(finding) for finding in check_contracts(configs, catalog)] == []
    assert [config.name for config in configs] == ["business-register", "permit-office"]


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    """A folder with what the README says to save."""
    for name, text in zip(
        ("ledger", "test_ledger", "register", "test_register"), snippets("python"), strict=True
    ):
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "ledger.yaml").write_text(snippets("yaml")[1])
    return tmp_path


@pytest.mark.parametrize(("suite", "tests"), [("test_ledger.py", 8), ("test_register.py", 5)])
def test_the_first_connectors_pass_their_suites(tutorial: Path, suite: str, tests: int) -> None:
    """The suites of the kit prove them, as the README's command runs them."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", suite],
        cwd=tutorial,
        env={"PYTHONPATH": f"{tutorial}:{README.parents[1]}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert f"{tests} passed" in run.stdout


async def test_the_first_connector_publishes(
    tutorial: Path, cluster: InMemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sound, and its two finished lines become two events."""
    monkeypatch.syspath_prepend(tutorial)
    monkeypatch.chdir(tutorial)
    configs, findings = load(["ledger.yaml"])
    assert findings == []
    assert check_contracts(configs, cluster.catalog) == []
    (tutorial / "ledger.txt").write_text("BIZ-000001;123-456-7890; North\nBIZ-000002;123-456-7891;South\nBIZ")
    async with runner_of(configs, cluster):
        await until(lambda: len(cluster.records("tax.taxpayer-number-assigned.v1")) == 2)


async def test_the_outbox_of_its_readme_is_relayed(
    tmp_path: Path, cluster: InMemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program writes row and event, and the file below it publishes that event under its id."""
    text = (README.parent / "outbox" / "README.md").read_text("utf-8")
    (program,) = re.findall(r"^```python run\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (file,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOVBUS_CATALOG", "reference")
    names: dict[str, Any] = {}
    exec(compile(program, "README", "exec"), names)
    (tmp_path / "outbox.yaml").write_text(file)
    configs, findings = load(["outbox.yaml"])
    assert findings == []
    async with runner_of(configs, cluster):
        await until(lambda: len(cluster.records("tax.business-registered.v1")) == 1)
    names["engine"].dispose()
    assert event_ids(cluster) == [names["event_id"]]


def test_the_readmes_name_every_option() -> None:
    """Each option of each installed connector stands in its README."""
    connectors = [point.load() for point in entry_points(group="govbus.connectors")]
    assert connectors
    for connector in connectors:
        text = (Path(inspect.getfile(connector)).parent / "README.md").read_text("utf-8")
        names = [field.alias or name for name, field in connector.Options.model_fields.items()]
        assert [name for name in names if f"`{name}`" not in text] == []


def test_the_map_leads_to_files_that_exist() -> None:
    """Every file of the "Where is ...?" table is there."""
    table = README.read_text("utf-8").partition("## Where is ...?")[2]
    paths = re.findall(r"`([\w/]+\.py)`", table)
    assert paths
    assert [path for path in paths if not (README.parent / path).exists()] == []
    assert yaml.safe_load(snippets("yaml")[1])["connector"] == "ledger:Ledger"
