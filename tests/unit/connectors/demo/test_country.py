"""The country is what its README says: legacy systems without the bus, and connectors for every event."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.demo import books, country
from connectors.demo.country import played
from connectors.demo.faults import describe_faults, draw_faults
from contracts import Catalog

DEMO = Path(books.__file__).parent
ROOMS = {"bus", "contracts", "observability", "connectors"}


def imported(file: Path) -> set[str]:
    """The modules a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_legacy_systems_import_no_room() -> None:
    """They import each other, the standard library and a web server."""
    for file in (DEMO / "legacy").glob("*.py"):
        rooms = {name for name in imported(file) if name.partition(".")[0] in ROOMS}
        assert {name for name in rooms if not name.startswith("connectors.demo.legacy")} == set()


def test_the_process_of_the_legacy_systems_loads_no_room() -> None:
    """Neither the bus nor Kafka's client is in it, although they live under this room's folder."""
    program = (
        "import runpy, sys, json\n"
        f"main = runpy.run_path({str(DEMO / 'legacy' / '__main__.py')!r})\n"
        "main['load_no_room']()\n"
        "import connectors.demo.legacy.server\n"
        "print(json.dumps(sorted(name.partition('.')[0] for name in sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, check=True, text=True)
    assert {"bus", "contracts", "observability", "aiokafka"} & set(json.loads(done.stdout)) == set()


def test_the_process_of_the_legacy_systems_logs_in_the_form_of_the_others() -> None:
    """Time, level, process and logger, or JSON; under the name that the demo gives it."""
    program = (
        "import logging, runpy\n"
        f"runpy.run_path({str(DEMO / 'legacy' / '__main__.py')!r})['set_up_logs']()\n"
        "logging.getLogger('aiohttp.server').error('failed')"
    )

    def said(**environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-c", program],
            env={"OTEL_SERVICE_NAME": "govbus-legacy-systems", **environment},
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stderr

    assert re.fullmatch(r"\S+Z ERROR govbus-legacy-systems\[\d+\] aiohttp\.server: failed\n", said())
    found = json.loads(said(GOVBUS_LOG_FORMAT="json"))
    assert (found["process"], found["message"]) == ("govbus-legacy-systems", "failed")


def test_every_event_of_every_service_has_its_source_and_its_takers() -> None:
    """Each milestone is published by its agency and follows an event that agency subscribes to."""
    publishes: set[tuple[str, str]] = set()
    subscribes: set[tuple[str, str]] = set()
    for file in DEMO.glob("*/*.yaml"):
        text = file.read_text()
        section = "publish" if "\npublish:" in text else "subscribe"
        event = re.search(rf"^{section}:\n  event: (\S+)", text, re.MULTILINE)
        assert event is not None
        (publishes if section == "publish" else subscribes).add((file.parent.name, event[1]))
    for service in played(Catalog.open()).services.values():
        assert (service.start.partition(".")[0], service.start) in publishes
        for milestone in service.milestones:
            assert (milestone.agency, milestone.event) in publishes
            assert (milestone.agency, milestone.after or service.start) in subscribes


def test_what_nobody_plays_is_left_out() -> None:
    """The demo makes no topic, and waits for no agency, of the rest of the catalogue."""
    whole = Catalog.open()
    catalog = played(whole)
    assert set(books.BOOKS) == set(catalog.agencies)
    assert set(catalog.contracts) < set(whole.contracts)
    assert {contract.agency for contract in catalog.contracts.values()} == set(catalog.agencies)


def test_the_books_hold_every_event_but_the_starts() -> None:
    """The account would miss an effect it doesn't know."""
    services = played(Catalog.open()).services.values()
    milestones = {milestone.event for service in services for milestone in service.milestones}
    assert milestones == {page.name for page in books.EFFECTS}
    assert {service.name for service in services} == {page.name for page in books.STARTS}


def test_the_faults_come_from_the_seed() -> None:
    """The same seed, the same slow office and the same closed one, never one and the same."""
    plans = [draw_faults(seed) for seed in range(20)]
    assert plans == [draw_faults(seed) for seed in range(20)]
    assert all(len(plan) == len(describe_faults(plan)) == 2 for plan in plans)


@pytest.mark.parametrize(
    ("cluster", "database", "expected"),
    [
        ("broker:9092", "postgresql://db/monitor", "postgresql://db/monitor"),
        ("broker:9092", None, "sqlite:////tmp/x/monitor.db"),
        (None, "postgresql://db/monitor", "sqlite:////tmp/x/monitor.db"),
    ],
)
def test_a_standing_cluster_keeps_its_monitor(
    cluster: str | None, database: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run shares the database of that cluster; with a cluster of its own it has one of its own."""
    for name, value in (("GOVBUS_BOOTSTRAP_SERVERS", cluster), ("GOVBUS_DATABASE", database)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert country._database(Path("/tmp/x")) == expected


def test_the_readme_names_files_that_exist() -> None:
    """Each link and each file in the README's tables is there."""
    text = (DEMO / "README.md").read_text()
    named = set(re.findall(r"\]\(([\w/.-]+)\)", text)) | set(re.findall(r"`([\w/]+\.py)`", text))
    assert {name for name in named if not (DEMO / name).is_file()} == set()
    files = {f"{file.parent.name}/{file.name}" for file in DEMO.glob("*/*.yaml")}
    assert files <= named
