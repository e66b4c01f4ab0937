"""Code generators of others make named models: Modelina, the Data Contract CLI, and those of `models`."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import contracts
from contracts import Catalog
from contracts.cli import contracts as command
from tests.installed import installed, npm_packages, program, run

pytestmark = pytest.mark.backends
HERE = Path(__file__).parent
EXPORT = """
import json, sys
from pathlib import Path
from datacontract.data_contract import DataContract

for file in sys.argv[2:]:
    code = DataContract(data_contract_file=file).export(sys.argv[1])
    print(json.dumps({"file": Path(file).name, "code": code}))
"""
"""A program that prints what the Data Contract CLI makes of files, a line of JSON each."""


def exported(form: str, to: Path) -> Path:
    """Export the reference catalogue."""
    result = CliRunner().invoke(command, ["export", form, "-o", str(to)])
    assert result.exit_code == 0, result.output
    return to


@pytest.fixture(scope="module")
def asyncapi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference catalogue as one AsyncAPI document."""
    return exported("asyncapi", tmp_path_factory.mktemp("asyncapi") / "events.yaml")


def models(asyncapi: Path, language: str) -> dict[str, str]:
    """Return the code of each model that Modelina makes, by its name."""
    node = program("node", "nodejs")
    packages = npm_packages("modelina", [HERE / "modelina" / "package.json"])
    text = run(
        node, str(HERE / "modelina" / "models.js"), str(asyncapi), language,
        environment={"NODE_PATH": str(packages / "node_modules")},
    )  # fmt: skip
    found = json.loads(text)
    names = [model["name"] for model in found]
    assert len(set(names)) == len(names)
    return {model["name"]: model["code"] for model in found}


def test_modelina_makes_a_named_class_of_each_message_and_part(asyncapi: Path) -> None:
    """None is anonymous, whose name another contract's change would change, and none is `any`."""
    found = models(asyncapi, "TypeScript")
    assert [name for name in found if "anonymous" in name.lower()] == []
    assert [name for name, code in found.items() if re.search(r": any\b(?!>)", code)] == []
    titles = {
        contract.title if len(contract.versions) == 1 else f"{contract.title} {version.number}"
        for contract in Catalog.open().contracts.values()
        for version in contract.versions
    }
    named = {re.sub(r"[\W_]|dot", "", name.lower()) for name in found}
    assert {title for title in titles if re.sub(r"\W", "", title.lower()) not in named} == set()
    assert "child: BirthRegisteredChild" in found["BirthRegistered"]
    assert "parents: BirthRegisteredParentsItem[]" in found["BirthRegistered"]


def datacontract(form: str, files: list[Path]) -> dict[str, Any]:
    """Return what the Data Contract CLI makes of files, by their names."""

    def install(folder: Path) -> None:
        run(
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target",
            str(folder), "-r", "requirements.txt", folder=folder,
        )  # fmt: skip

    packages = installed("datacontract", [HERE / "datacontract" / "requirements.txt"], install)
    text = run(
        sys.executable, "-c", EXPORT, form, *map(str, files), environment={"PYTHONPATH": str(packages)}
    )
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {row["file"]: row["code"] for row in rows}


@pytest.fixture(scope="module")
def odcs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The reference catalogue as files of the Open Data Contract Standard."""
    return sorted(exported("odcs", tmp_path_factory.mktemp("odcs") / "odcs").iterdir())


def test_an_odcs_document_becomes_a_model_that_takes_the_examples(odcs: list[Path]) -> None:
    """Each field of an example is one of the pydantic model's, and the model takes it."""
    codes = datacontract("pydantic-model", odcs)
    assert len(codes) == len(odcs) > 80
    for file, code in codes.items():
        agency, event, major, *_ = file.split(".")
        names: dict[str, Any] = {}
        exec(compile(code, file, "exec", dont_inherit=True), names)
        model = names[event.replace("-", "_").capitalize()]
        folder = Path(contracts.__file__).parent / "agencies" / agency / event / "examples" / major / "valid"
        for example in folder.iterdir():
            data = json.loads(example.read_text("utf-8"))
            assert set(model.model_validate(data).model_dump()) >= set(data), (file, example)


def test_an_odcs_document_becomes_avro_with_a_name_for_each_record(odcs: list[Path]) -> None:
    """Avro has no record without one; parts of a list need one too."""
    for file, code in datacontract("avro", odcs).items():
        assert [record for record in records(json.loads(code)) if not record.get("name")] == [], file


def records(node: Any) -> list[dict[str, Any]]:
    """Return the records in an Avro schema."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    found = [record for child in inner for record in records(child)]
    return [node, *found] if isinstance(node, dict) and node.get("type") == "record" else found


def written(language: str, suffix: str, folder: Path, step: int = 1) -> list[Path]:
    """Write the models of the events and subscriptions of the reference catalogue, of each `step`th."""
    catalog = Catalog.open()
    named = [[version.type] for one in catalog.contracts.values() for version in one.versions]
    named += [
        [grant.topic, "--subscription", f"{grant.consumer}.{grant.name}"]
        for grant in catalog.subscriptions.values()
    ]
    assert len(named) > 150
    files = []
    for words in named[::step]:
        file = folder / f"{re.sub(r'[^a-z0-9]', '_', '_'.join(words))}{suffix}"
        result = CliRunner().invoke(command, ["models", *words, "--language", language, "-o", str(file)])
        assert result.exit_code == 0, result.output
        files.append(file)
    return files


def test_models_of_python_are_clean_to_a_strict_checker(tmp_path: Path) -> None:
    """All of them, by mypy."""
    written("python", ".py", tmp_path)
    run(sys.executable, "-m", "mypy", "--strict", "--config-file=", str(tmp_path))


def test_models_of_typescript_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of them, each of which exports an interface of its event's title."""
    node = program("node", "nodejs")
    packages = npm_packages("typescript", [HERE / "typescript" / "package.json"]) / "node_modules"
    monkeypatch.setenv("PATH", str(packages / ".bin"), prepend=os.pathsep)
    files = written("typescript", ".ts", tmp_path, step=9)
    compiler = str(packages / "typescript" / "bin" / "tsc")
    run(node, compiler, "--noEmit", "--strict", "--skipLibCheck", *map(str, files))
    assert [file for file in files if "export interface " not in file.read_text("utf-8")] == []
