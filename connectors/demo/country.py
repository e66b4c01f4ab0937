"""Runs the country once: Kafka, five legacy systems, their connectors, monitor and console.

    Kafka -- topics -- connectors of each agency (a process each), monitor, console
    legacy systems (one process) -- ports --+
    clerks, dead letters, audit: in this process

All of it ends with this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from bus import (
    Check,
    EmbeddedKafka,
    HealthWatch,
    Outage,
    Settings,
    apply_topics,
    health_served,
    waited_out,
)
from connectors.demo import legacy
from connectors.demo.audit import Audit
from connectors.demo.books import BOOKS, STARTS
from connectors.demo.cases import draw_cases
from connectors.demo.clerks import enter_all
from connectors.demo.dead_letters import DeadLetterReader, read_dead_letters
from connectors.demo.faults import describe_faults, draw_faults
from connectors.demo.guard import KEPT
from connectors.demo.legacy.office import OfficeFaults
from connectors.demo.monitor_query import MonitorQuery
from connectors.demo.options import DemoError, DemoOptions
from connectors.demo.processes import GOVBUS, DemoProcesses
from connectors.demo.result import DemoResult
from connectors.demo.screen import Screen
from contracts import FINDINGS, REFERENCE, Catalog, Environment

__all__ = ["CLEAN", "played", "run_country"]

CLEAN = 0
EPOCH = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
STAY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What distinguishes one run from all others in the same cluster.

    Attributes:
        name: The beginning of its references.
        number: The number that row numbers of the legacy systems begin after; it grows faster than they do.
        folder: Of books, drop folders, logs and the monitor's database.
    """

    name: str
    number: int
    folder: Path


async def run_country(options: DemoOptions, screen: Screen, started: float) -> int:
    """Run the country once and return the exit code of the command.

    Args:
        options: The options.
        screen: Where to show it.
        started: Monotonic time at which the command began.

    Returns:
        0 when every case is accounted for exactly once, else 100.

    Raises:
        DemoError: Something that the demo needs is taken, missing or has ended.
    """
    _refuse_taken_port(options.port)
    faults = draw_faults(options.seed) if options.faults else {}
    if options.office_faults is not None:
        faults = dict(options.office_faults)
    async with _cluster(screen) as environment:
        with _new_run() as run, DemoProcesses(run.folder) as processes:
            _start_legacy_systems(processes, run, options.seed, faults)
            settings, catalog = await _prepare(environment)
            ports = await _ports(processes, run.folder)
            _start_govbus(processes, run.folder, environment, ports, options.port)
            async with (
                read_dead_letters(
                    settings, run.name, catalog.agencies, skip_earlier=not environment
                ) as letters,
                _watched(settings, letters, options.port) as health,
            ):
                screen.note(f"five agencies are at work; console: http://127.0.0.1:{options.port}/")
                audit = Audit(
                    folder=run.folder,
                    run=run.name,
                    services=catalog.services,
                    letters=letters,
                    monitor=MonitorQuery(processes, _database(run.folder), run.name, options.transactions),
                    faults=describe_faults(faults),
                    options=options,
                    started=started,
                    health=health,
                )
                result = await _work(audit, processes, ports, screen)
                _conclude(result, screen, run.folder)
                while options.stays:
                    processes.check()
                    await asyncio.sleep(STAY_SECONDS)
    return CLEAN if result.account.clean else FINDINGS


def played(catalog: Catalog) -> Catalog:
    """Return a catalogue without what the demo does not play: its topics would be made, and stay empty."""
    names = {page.name for page in STARTS}
    services = {name: service for name, service in catalog.services.items() if name in names}
    subjects = {
        subject
        for service in services.values()
        for subject in (service.start, *(milestone.event for milestone in service.milestones))
    }
    agencies = {subject.partition(".")[0] for subject in subjects}
    return replace(
        catalog,
        agencies={name: agency for name, agency in catalog.agencies.items() if name in agencies},
        contracts={name: contract for name, contract in catalog.contracts.items() if name in subjects},
        services=services,
        subscriptions={
            key: subscription
            for key, subscription in catalog.subscriptions.items()
            if subscription.subject in subjects and subscription.consumer in agencies
        },
    )


@contextmanager
def _new_run() -> Iterator[DemoRun]:
    number = int((time.time() - EPOCH) * 10)
    folder = Path(tempfile.mkdtemp(prefix="govbus-demo-"))
    try:
        yield DemoRun(f"D{number}", number, folder)
    finally:
        if not (folder / KEPT).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _refuse_taken_port(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise DemoError(
            f"the console cannot listen on port {port} - {why} - choose another with --port"
        ) from None


@asynccontextmanager
async def _cluster(screen: Screen) -> AsyncIterator[Mapping[str, str]]:
    """Yield the environment of a Kafka of the demo's own; empty where the environment names a cluster."""
    servers = Environment().get("GOVBUS_BOOTSTRAP_SERVERS")
    if servers:
        screen.note(f"using the Kafka cluster at {servers}")
        yield {}
        return
    screen.note("starting Apache Kafka and five legacy systems")
    kafka = EmbeddedKafka()
    try:
        await asyncio.to_thread(kafka.start)
        yield kafka.environment()
    finally:
        await asyncio.to_thread(kafka.stop)


def _start_legacy_systems(
    processes: DemoProcesses, run: DemoRun, seed: int, faults: Mapping[str, OfficeFaults]
) -> None:
    config = run.folder / "legacy.json"
    written = {
        "folder": str(run.folder),
        "seed": seed,
        "first_number": run.number,
        "faults": {agency: asdict(office) for agency, office in faults.items()},
    }
    config.write_text(json.dumps(written))
    processes.start("legacy-systems", str(Path(legacy.__path__[0]) / "__main__.py"), str(config))


async def _prepare(environment: Mapping[str, str]) -> tuple[Settings, Catalog]:
    settings = Settings.model_validate(
        {name.removeprefix("GOVBUS_").lower(): value for name, value in environment.items()}
    )
    catalog = played(Catalog.open(settings.catalog or REFERENCE))
    kafka = f"Kafka at {settings.bootstrap_servers}; without GOVBUS_BOOTSTRAP_SERVERS the demo brings its own"
    await waited_out(lambda: apply_topics(settings, catalog), Outage(kafka))
    return settings, catalog


@asynccontextmanager
async def _watched(settings: Settings, letters: DeadLetterReader, port: int) -> AsyncIterator[HealthWatch]:
    """Look at what the run needs, and answer for it: Kafka, and the console over the monitor's database."""
    watch = HealthWatch({"kafka": letters.kafka_fault, "console": console_check(f"http://127.0.0.1:{port}")})
    looking = asyncio.create_task(watch.run())
    try:
        async with health_served(settings, watch):
            yield watch
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def console_check(address: str) -> Check:
    """Return a check that tells what the console's own health tells, once that was well."""
    was_well = False

    async def check() -> str | None:
        nonlocal was_well
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{address}/healthz") as answer:
                faults = {
                    name: said for name, said in (await answer.json())["checks"].items() if said != "ok"
                }
        except aiohttp.ClientError as error:
            faults = {"console": f"does not answer ({type(error).__name__})"}
        was_well = was_well or not faults
        return "; ".join(f"{name}: {said}" for name, said in faults.items()) or None if was_well else None

    return check


async def _ports(processes: DemoProcesses, folder: Path) -> dict[str, int]:
    file = folder / "ports.json"
    await processes.wait_for(file)
    ports: dict[str, int] = json.loads(file.read_text())
    return ports


def _start_govbus(
    processes: DemoProcesses,
    folder: Path,
    environment: Mapping[str, str],
    ports: Mapping[str, int],
    port: int,
) -> None:
    added = {
        **environment,
        "GOVBUS_CATALOG": str(Environment().get("GOVBUS_CATALOG") or REFERENCE),
        "GOVBUS_HEALTH_PORT": "",  # the demo answers for all of them
        "GOVBUS_DEMO_FOLDER": str(folder),
        "GOVBUS_DATABASE": _database(folder),
        "GOVBUS_STOP_TIMEOUT_SECONDS": "3",
    }
    for agency, at in ports.items():
        added[f"GOVBUS_DEMO_{agency.upper().replace('-', '_')}"] = f"http://127.0.0.1:{at}"
    for agency in BOOKS:
        files = sorted(str(path) for path in (Path(__file__).parent / agency).glob("*.yaml"))
        processes.start(agency, *GOVBUS, "connect", "run", *files, environment=added)
    processes.start("monitor", *GOVBUS, "monitor", environment=added)
    processes.start("console", *GOVBUS, "console", "--port", str(port), environment=added)


def _database(folder: Path) -> str:
    """Return the database of the monitor that the cluster has already, or one of the run's own."""
    environment = Environment()
    standing = environment.get("GOVBUS_BOOTSTRAP_SERVERS") and environment.get("GOVBUS_DATABASE")
    return standing or f"sqlite:///{folder / 'monitor.db'}"


async def _work(
    audit: Audit, processes: DemoProcesses, ports: Mapping[str, int], screen: Screen
) -> DemoResult:
    options = audit.options
    today = datetime.now(UTC).date()
    cases = draw_cases(
        options.transactions, seed=options.seed, run=audit.run, today=today, faults=options.faults
    )
    clerks = asyncio.create_task(enter_all(cases, ports, options.rate))
    try:
        return await audit.watch(processes, screen, clerks)
    finally:
        clerks.cancel()
        await asyncio.gather(clerks, return_exceptions=True)


def _conclude(result: DemoResult, screen: Screen, folder: Path) -> None:
    options, account = result.options, result.account
    screen.summarize(result)
    if options.json_file is not None:
        options.json_file.write_text(json.dumps(result.as_json(), indent=2, ensure_ascii=False) + "\n")
        screen.say(f"as JSON: {options.json_file}")
    if not account.clean:
        (folder / KEPT).touch()
        screen.say(f"books and logs are kept in {folder}")
    if options.stays:
        screen.say(f"console: http://127.0.0.1:{options.port}/ - stays up until Ctrl-C")
    screen.say(account.last_line, style="bold green" if account.clean else "bold red")
