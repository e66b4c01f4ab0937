"""The files of a new connector: a folder of CSV files whose rows become events. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Final

import yaml

from contracts.contract import ContractVersion
from contracts.scaffold.programs import module_of

_FILE: Final = """\
# A legacy program drops CSV files into a folder; each row becomes `{subject}`.
#
#   govbus connect check {module}.yaml   # form, contract, mapping
#   govbus connect run {module}.yaml     # until Ctrl-C; GOVBUS_BOOTSTRAP_SERVERS names the cluster
#
# `govbus connect list` names the other kinds: a SQL table, an outbox; `http` is the other way round.
connector: drop-folder
name: {name}
agency: {agency}
system: {name} # part of every event's source
source:
  inbox: {module}/inbox # where files are dropped; from the working directory
  archive: {module}/archive # where they go when every row is on the bus
  quiet_seconds: 0.5 # how long a file stays the same before it is read
  poll_seconds: 0.5
publish:
  event: {subject}
  version: "{number}"
  # What each field is made of: `$.column`, or `{{from: $.column, as: date, format: "%d.%m.%Y"}}`; a text
  # without `$` is a constant. A row that does not fit becomes a dead letter with its file and line.
  data:
{data}
"""

_TEST: Final = '''\
"""A file that is dropped becomes events, on a bus in memory."""

import asyncio
import shutil
from pathlib import Path

from bus.testing import InMemoryBus, InMemoryCluster
from connectors import Runner, load

HERE = Path(__file__).parent


def test_each_row_becomes_an_event(tmp_path, monkeypatch) -> None:
    cluster = InMemoryCluster()
    monkeypatch.chdir(tmp_path)
    shutil.copytree(HERE / "{module}" / "example", "{module}/inbox")
    configs, findings = load([HERE / "{module}.yaml"])
    assert findings == []

    def make_bus(agency: str, system: str) -> InMemoryBus:
        return InMemoryBus(agency, system=system, cluster=cluster)

    async def play() -> int:
        async with asyncio.timeout(30), Runner(configs, make_bus=make_bus):
            while not cluster.records("{topic}"):
                await asyncio.sleep(0.05)
            return len(cluster.records("{topic}"))

    assert asyncio.run(play()) == 1
'''


def connector_files(name: str, version: ContractVersion, example: Mapping[str, Any]) -> dict[str, str]:
    """A connector, a file of one row for it, and its test, by path.

    Args:
        name: The name of the connector.
        version: What it publishes.
        example: Data that keeps the contract.

    Raises:
        ContractError: No module may have that name.
    """
    module = module_of(name)
    columns = {field: value for field, value in example.items() if not isinstance(value, dict | list | None)}
    data = {field: _source(field, value) if field in columns else value for field, value in example.items()}
    written = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
    words = {
        "module": module,
        "name": module.replace("_", "-"),
        "agency": version.contract.agency,
        "subject": version.contract.subject,
        "topic": version.type,
        "number": version.number,
        "data": "".join(f"    {line}\n" for line in written.splitlines()).rstrip("\n"),
    }
    return {
        f"{module}.yaml": _FILE.format(**words),
        f"{module}/inbox/.gitkeep": "",
        f"{module}/example/example.csv": _csv(columns),
        f"test_{module}.py": _TEST.format(**words),
    }


def _source(field: str, value: object) -> object:
    path = f"$.{field}" if field.isidentifier() else f'$["{field}"]'
    match value:
        case bool():
            return {"from": path, "as": "boolean"}
        case int():
            return {"from": path, "as": "integer"}
        case float():
            return {"from": path, "as": "decimal"}
        case _:
            return path


def _csv(columns: Mapping[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerow(str(value).lower() if isinstance(value, bool) else value for value in columns.values())
    return text.getvalue()
