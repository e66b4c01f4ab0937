"""A real Prometheus scrapes the monitor, evaluates our alerts and answers what our dashboards ask."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import yaml

from bus import Bus, Event, Settings
from tests.integration.test_monitor import BORN, births, monitor, settings, url, wait_for
from tests.ports import held_port
from tests.unit.observability.test_documents import RULES, expressions

__all__ = ["settings", "url"]
pytestmark = pytest.mark.backends
PROGRAM = shutil.which("prometheus")


@contextmanager
def prometheus(folder: Path, port: int, target: int) -> Iterator[None]:
    """Run a server at a port, which scrapes another port each second."""
    config = folder / "prometheus.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(path) for path in RULES],
                "scrape_configs": [
                    {"job_name": "govbus", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
                ],
            }
        )
    )
    assert PROGRAM is not None, "no `prometheus` here - install it (Debian: apt-get install prometheus)"
    process = subprocess.Popen(
        [
            PROGRAM, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
        ],
        stdout=sys.stderr,
        stderr=sys.stderr,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def ask(port: int, path: str) -> Any:
    """Return the data of an answer; None while the server does not answer yet."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=30) as answer:
            return json.loads(answer.read())["data"]
    except HTTPError as error:
        if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
            return None
        pytest.fail(error.read().decode())
    except OSError:
        return None


async def test_it_scrapes_evaluates_and_answers(settings: Settings, url: str, tmp_path: Path) -> None:
    """Receipts of real buses become series, every rule is evaluated, and every panel's query is accepted."""
    await births(settings, 3)
    with (
        held_port() as scraped,
        held_port() as port,
        monitor(settings, url, "--metrics-port", str(scraped)),
        prometheus(tmp_path, port, scraped),
    ):
        started = quote('govbus_service_started_total{service="birth-of-a-child"} > 0')
        wait_for(lambda: bool((ask(port, f"query?query={started}") or {}).get("result")))
        wait_for(lambda: {rule["health"] for rule in rules(port)} == {"ok"})
        for expression in expressions():
            (query,) = expression.values
            assert query.startswith("label_values(") or ask(port, f"query?query={quote(panel(query))}")


async def test_a_silent_agency_pages_until_it_receives_again(
    settings: Settings, url: str, tmp_path: Path
) -> None:
    """From a case that waits for an agency without a running program, by a real monitor, to the alert."""
    await births(settings, 1)
    with (
        held_port() as scraped,
        held_port() as port,
        monitor(settings, url, "--metrics-port", str(scraped), "--silent-after", "5"),
        prometheus(tmp_path, port, scraped),
    ):
        await asyncio.to_thread(wait_for, lambda: "tax" in paged(port))
        tax = Bus("tax", settings=settings)

        @tax.subscribe(
            BORN, version=1, purpose="assign-taxpayer-number", name=f"monitor-test-{time.time_ns()}"
        )
        async def assign(event: Event[Any]) -> None:
            """Take it."""

        async with tax:
            await asyncio.to_thread(wait_for, lambda: "tax" not in paged(port))


def paged(port: int) -> set[str]:
    """Return the agencies for which somebody is woken, since they are silent."""
    found = [rule for rule in rules(port) if rule["name"] == "GovbusAgencySilent"]
    alerts = [alert for rule in found for alert in rule["alerts"] if alert["state"] == "firing"]
    return {alert["labels"]["agency"] for alert in alerts if alert["labels"]["severity"] == "page"}


def rules(port: int) -> list[Any]:
    """Return every alert rule, as the server has evaluated it."""
    return [rule for group in (ask(port, "rules") or {"groups": []})["groups"] for rule in group["rules"]]


def panel(query: str) -> str:
    """Return a panel's query with Grafana's variables filled in."""
    return query.replace("$__rate_interval", "1m").replace("$__range", "1h")
