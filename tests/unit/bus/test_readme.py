"""The manual is true: its handler runs as written, and its tables name all settings, reasons and metrics."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

import bus
from bus import BusError, DeliveryReceipt, Reason, Settings, errors, telemetry
from bus.crash.faults import FAULTS
from bus.testing import InMemoryBus, InMemoryCluster

README = Path(__file__).parents[3] / "bus" / "README.md"
BIRTH = {
    "reference": "BRT-2026-7K3Q9X",
    "child": {"name": "Zoë Ångström", "birth_date": "2026-02-28"},
    "parents": [{"name": "Ama Mensah"}],
    "birth_place": "Port Ellery",
    "registered_on": "2026-03-03",
    "registry_office": "PE-014",
}
SUBJECT = "civil-registry.birth-registered"


async def test_the_handler_of_the_readme_has_its_effect_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs of it from the first event on, with different groups, open one record."""
    (program,) = re.findall(
        r"^```python run\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOVBUS_CATALOG", "reference")
    cluster = InMemoryCluster()
    async with InMemoryBus("civil-registry", cluster=cluster) as registry:
        await registry.publish(SUBJECT, BIRTH, service="birth-of-a-child", version="1.0")
    for run in ("first", "second"):
        monkeypatch.setattr(bus, "Bus", lambda agency: InMemoryBus(agency, cluster=cluster))
        # Another name is another group, which reads from the first event: as after a kill before the commit.
        named = program.replace('purpose="open-health-record"', f'purpose="open-health-record", name="{run}"')
        names: dict[str, Any] = {}
        exec(compile(named, str(README), "exec", dont_inherit=True), names)
        async with names["health"]:
            await _acknowledged(cluster, run)
        with names["engine"].connect() as connection:
            assert connection.scalar(select(func.count()).select_from(names["records"])) == 1
        names["engine"].dispose()


async def _acknowledged(cluster: InMemoryCluster, subscription: str) -> None:
    from tests.worlds import until

    await until(
        lambda: any(
            isinstance(receipt, DeliveryReceipt)
            and receipt.subscription.endswith(subscription)
            and receipt.outcome == "ack"
            for receipt in cluster.receipts()
        )
    )


def test_its_python_compiles() -> None:
    """Each block is Python, also where only a part of a program is shown."""
    blocks = re.findall(r"^```python.*?\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_its_tables_are_whole() -> None:
    """Every setting, reason, error, metric and fault of the bus is named."""
    raised = [
        name for name, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, BusError)
    ]
    metrics = inspect.getsource(telemetry).partition("# Metrics\n")[2].partition("\n\n")[0]
    measured = re.findall(r'= "(\S+)"', metrics)
    assert "govbus.deliveries" in measured
    names = [*(name.upper() for name in Settings.model_fields), *Reason, *raised, *measured, *FAULTS]
    text = README.read_text("utf-8").replace("bus.BusError", "BusError")
    assert [name for name in names if f"`{name}`" not in text] == []
