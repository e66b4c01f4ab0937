"""What the tests of connectors share: a business register, its configuration, and buses in memory."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from bus import Backoff, Bus
from bus.testing import InMemoryBus, InMemoryCluster
from connectors import ConnectorConfig, Runner, load

QUICK = Backoff(first_seconds=0.01, longest_seconds=0.02)
EVENT = "tax.business-registered"
TOPIC = f"{EVENT}.v1"

DATA: dict[str, Any] = {
    "reference": "$.reference",
    "business_name": {"from": "$.business_name", "as": "trim"},
    "legal_form": "$.legal_form",
    "activity_code": "$.activity_code",
    "seat": {"lines": ["$.street"], "locality": "$.town"},
    "owner_name": "$.owner_name",
    "registered_on": "$.registered_on",
}
COLUMNS = (
    "reference",
    "business_name",
    "legal_form",
    "activity_code",
    "street",
    "town",
    "owner_name",
    "registered_on",
)


def business(number: int) -> tuple[str, ...]:
    """The columns of a business."""
    return (
        f"BIZ-2026-{number:06d}",
        f"Bakery {number} Ltd",
        "limited-company",
        "1071",
        f"{number} Market Road",
        "Upper Quay",
        "Ama Mensah",
        "2026-03-02",
    )


def make_register(file: Path) -> None:
    """An empty business register."""
    with sqlite3.connect(file) as register:
        register.execute(
            f"CREATE TABLE business (id INTEGER PRIMARY KEY AUTOINCREMENT, {' TEXT, '.join(COLUMNS)} TEXT)"
        )
    register.close()


def register_businesses(file: Path, *numbers: int) -> None:
    """Enter businesses in the register."""
    with sqlite3.connect(file) as register:
        register.executemany(
            f"INSERT INTO business ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})",
            [business(number) for number in numbers],
        )
    register.close()


def register_source(file: Path, **options: Any) -> dict[str, Any]:
    """The configuration of a source over the register."""
    return {
        "connector": "sql",
        "name": "business-register",
        "agency": "tax",
        "system": "register",
        "source": {
            "url": f"sqlite:///{file}",
            "table": "business",
            "position": "id",
            "poll_seconds": 0.02,
            "settle_seconds": 0,
            **options,
        },
        "publish": {"event": EVENT, "version": "1.0", "service": "registering-a-business", "data": DATA},
    }


def folder_source(folder: Path, **options: Any) -> dict[str, Any]:
    """The configuration of a source over a drop folder."""
    return {
        **register_source(folder),
        "connector": "drop-folder",
        "name": "business-files",
        "source": {
            "inbox": str(folder / "inbox"),
            "archive": str(folder / "archive"),
            "quiet_seconds": 0.01,
            "poll_seconds": 0.02,
            **options,
        },
    }


def http_sink(url: str, **options: Any) -> dict[str, Any]:
    """The configuration of a sink that posts businesses to an address."""
    return {
        "connector": "http",
        "name": "permit-office",
        "agency": "municipality",
        "sink": {"url": url, "timeout_seconds": 60, **options},
        "subscribe": {"event": EVENT, "version": 1, "purpose": "issue-business-permit"},
        "write": {"case": "$.transaction", "name": "$.data.business_name", "message": "$.id"},
    }


def configured(folder: Path, *contents: dict[str, Any]) -> list[ConnectorConfig]:
    """The connectors of a configuration file with these documents; none may have a finding."""
    file = folder / "connectors.yaml"
    file.write_text(yaml.safe_dump_all(contents, allow_unicode=True), encoding="utf-8")
    configs, findings = load([file])
    assert findings == []
    return configs


def bus_maker(cluster: InMemoryCluster) -> Callable[[str, str], Bus]:
    """Makes buses over a cluster in memory."""
    return lambda agency, system: InMemoryBus(agency, system=system, cluster=cluster)


async def publish_businesses(cluster: InMemoryCluster, *numbers: int) -> None:
    """Publish businesses as the tax agency does."""
    async with InMemoryBus("tax", system="register", cluster=cluster) as bus:
        for number in numbers:
            row = dict(zip(COLUMNS, business(number), strict=True))
            seat = {"lines": [row.pop("street")], "locality": row.pop("town")}
            await bus.publish(EVENT, {**row, "seat": seat}, service="registering-a-business", version="1.0")


def header(record: Any, name: str) -> str:
    """A header of a record as text."""
    return str(next(value.decode() for found, value in record.headers if found == name))


def event_ids(cluster: InMemoryCluster, topic: str = TOPIC) -> list[str]:
    """The ids of all events of a topic."""
    return [header(record, "ce_id") for record in cluster.records(topic)]


def runner_of(configs: list[ConnectorConfig], cluster: InMemoryCluster) -> Runner:
    """A runner over a cluster in memory."""
    return Runner(configs, make_bus=bus_maker(cluster), backoff=QUICK)


async def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event to set
            await asyncio.sleep(0.01)
