"""A program publishes and handles events by the models that `govbus contracts models` writes."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import contracts
from bus.testing import InMemoryBus, InMemoryCluster
from contracts.cli import contracts as command

BIRTH = "civil-registry.birth-registered"
PAGE = (Path(contracts.__file__).parent / "README.md").read_text("utf-8")


def written(module: str, folder: Path, *words: str) -> Any:
    """The module that the command writes."""
    file = folder / f"{module}.py"
    options = ["models", BIRTH, *words, "--catalog", "reference", "-o", str(file)]
    result = CliRunner().invoke(command, options)
    assert result.exit_code == 0, result.output
    return importlib.import_module(module)


async def test_an_event_is_published_and_handled_by_its_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler is that of the manual: it gets the granted fields, and what is unset is absent."""
    monkeypatch.syspath_prepend(tmp_path)
    whole = written("birth_models", tmp_path)
    granted = written("models", tmp_path, "--subscription", "health")
    monkeypatch.delitem(sys.modules, "models")
    cluster = InMemoryCluster()
    registry, health = InMemoryBus("civil-registry", cluster=cluster), InMemoryBus("health", cluster=cluster)
    (shown,) = re.findall(r"```python\n(from models import .*?)```", PAGE, re.DOTALL)
    told: list[Any] = []
    program = {"health": health, "told": told, "__name__": "program"}
    exec(compile(shown.replace("-> None: ...", "-> None: told.append(birth)"), "page", "exec"), program)
    birth = whole.BirthRegistered(
        reference="BRT-2026-7K3Q9X",
        child=whole.BirthRegisteredChild(name="Zoë", birth_date="2026-02-28"),
        parents=[whole.BirthRegisteredParentsItem(name="ნინო")],
        birth_place="Port Ellery",
        registered_on="2026-03-03",
        registry_office="PE-014",
    )
    async with registry, health:
        await registry.publish(BIRTH, birth, version="1.0")
        (delivery,) = await cluster.deliveries(f"{BIRTH}.v1")
    (read,), (record,) = told, cluster.records(f"{BIRTH}.v1")
    assert delivery.outcome == "ack"
    assert type(read).__name__ == "BirthRegistered"
    assert set(type(read).model_fields) == set(granted.BirthRegistered.model_fields) == {"reference", "child"}
    assert read.child.birth_date.isoformat() == "2026-02-28"
    assert record.value is not None
    assert b"null" not in record.value
