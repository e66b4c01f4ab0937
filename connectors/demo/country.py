"""Brings the country to life for one run: Kafka, five legacy systems, their connectors, monitor and console.

    Kafka ---+                                  +-- connectors of each agency (a process each)
    legacy --+-- topics, ports, empty cluster --+-- monitor, console
                                                +-- clerks, witness, auditor (this process)

Whatever is started here ends with this process.
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
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bus import BusUnavailableError, EmbeddedKafka, Settings, apply_topics
from connectors.demo.audit import Audit
from connectors.demo.books import BOOKS
from connectors.demo.cases import draw_cases
from connectors.demo.children import Children
from connectors.demo.clerks import enter_all
from connectors.demo.faults import FaultPlan, draw_faults
from connectors.demo.nursery import Job, order
from connectors.demo.outcome import Ending
from connectors.demo.played import played
from connectors.demo.screen import Screen
from connectors.demo.second_opinion import completed_transactions
from connectors.demo.summary import print_summary
from connectors.demo.wish import DemoError, Wish
from connectors.demo.witness import Witness
from contracts import Catalog

__all__ = ["CLEAN", "FINDINGS", "live"]

CLEAN = 0
FINDINGS = 100
BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
OPENING = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
OFFICES_OPEN_SECONDS = 30.0
WATCH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Run:
    """What tells one run from every other in the same cluster.

    Attributes:
        name: What its references begin with.
        number: What the legacy systems' numbers begin after; grows faster than any run counts.
        folder: Of books, drop folders, logs and the monitor's database.
    """

    name: str
    number: int
    folder: Path


async def live(wish: Wish, screen: Screen, started: float) -> int:
    """Run the country once and say how it ended.

    Args:
        wish: The options.
        screen: Where to show it.
        started: Monotonic time at which the command began.

    Returns:
        0 when every case is accounted for exactly once, else 100.

    Raises:
        DemoError: Something the demo needs is taken, missing or died.
        ChildDiedError: A child process ended by itself.
    """
    _refuse_taken_port(wish.port)
    plan = wish.plan or (draw_faults(wish.seed) if wish.faults else FaultPlan())
    with _run() as run, Children(run.folder / "logs") as children:
        _start_children(children, run, wish, plan)
        async with _cluster(screen, children) as environment:
            settings, catalog = await _prepare(environment)
            audit = Audit(
                folder=run.folder,
                run=run.name,
                witness=Witness(settings, run.name, sorted(catalog.agencies)),
                catalog=catalog,
                wish=wish,
                troubles=plan.sentences(),
                started=started,
            )
            await _settle_in(children, environment, audit, run.folder, wish.port)
            screen.note(f"five agencies are at work; console: http://127.0.0.1:{wish.port}/")
            ending = await _work(audit, children, run, wish, screen)
            seen = await completed_transactions(_database(run.folder), run.name)
            ending = replace(ending, monitor_completed=seen)
            code = _conclude(ending, wish, screen, run)
            if wish.stays:
                await _stay(children)
    return code


@contextmanager
def _run() -> Iterator[Run]:
    number = int((time.time() - OPENING) * 10)
    name, rest = "", number
    while rest:
        rest, digit = divmod(rest, 36)
        name = BASE36[digit] + name
    folder = Path(tempfile.mkdtemp(prefix="govbus-demo-"))
    try:
        yield Run(f"D{name}", number, folder)
    finally:
        if not (folder / "keep").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _refuse_taken_port(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise DemoError(
            f"the console cannot listen on port {port} - {why} - choose another with --port"
        ) from None


def _start_children(children: Children, run: Run, wish: Wish, plan: FaultPlan) -> None:
    config = run.folder / "legacy.json"
    written = {
        "folder": str(run.folder),
        "seed": wish.seed,
        "first_number": run.number,
        "weather": plan.as_config(),
    }
    config.write_text(json.dumps(written))
    children.start("legacy-systems", ["connectors.demo.legacy", str(config)])
    children.start("connectors", ["nursery", str(run.folder / "order.json")])


@asynccontextmanager
async def _cluster(screen: Screen, children: Children) -> AsyncIterator[Mapping[str, str]]:
    servers = os.environ.get("GOVBUS_BOOTSTRAP_SERVERS")
    if servers:
        screen.note(f"using the Kafka cluster at {servers}")
        try:
            yield {}
        finally:
            await asyncio.to_thread(children.stop)
        return
    screen.note("starting Apache Kafka and five legacy systems")
    kafka = EmbeddedKafka()
    try:
        await asyncio.to_thread(kafka.start)
        yield kafka.environment()
    finally:
        await asyncio.to_thread(children.stop)
        await asyncio.to_thread(kafka.stop)


async def _prepare(environment: Mapping[str, str]) -> tuple[Settings, Catalog]:
    settings = Settings.model_validate(
        {name.removeprefix("GOVBUS_").lower(): value for name, value in environment.items()}
    )
    catalog = played(Catalog.open(settings.catalog))
    try:
        await apply_topics(settings, catalog)
    except BusUnavailableError as error:
        raise DemoError(
            f"the demo has no Kafka - {error} - start the one that GOVBUS_BOOTSTRAP_SERVERS names, or unset "
            "it and the demo brings its own"
        ) from None
    return settings, catalog


async def _settle_in(
    children: Children, environment: Mapping[str, str], audit: Audit, folder: Path, port: int
) -> None:
    audit.ports = await _ports(children, folder)
    await audit.listen(from_now=not environment)
    added = {
        **environment,
        "GOVBUS_DEMO_FOLDER": str(folder),
        "GOVBUS_DATABASE": _database(folder),
        "GOVBUS_STOP_TIMEOUT_SECONDS": "3",
        **{f"GOVBUS_DEMO_{_variable(name)}": f"http://127.0.0.1:{at}" for name, at in audit.ports.items()},
    }
    jobs = [Job(agency, ["connect", "run", *_files(agency)]) for agency in BOOKS]
    jobs += [Job("monitor", ["monitor"]), Job("console", ["console", "--port", str(port)])]
    order(folder / "order.json", jobs, added)


def _files(agency: str) -> list[str]:
    return sorted(str(path) for path in (Path(__file__).parent / agency).glob("*.yaml"))


def _database(folder: Path) -> str:
    """Return the database of the monitor that the cluster has already, or one of the run's own."""
    standing = os.environ.get("GOVBUS_BOOTSTRAP_SERVERS") and os.environ.get("GOVBUS_DATABASE")
    return standing or f"sqlite:///{folder / 'monitor.db'}"


def _variable(agency: str) -> str:
    return agency.upper().replace("-", "_")


async def _ports(children: Children, folder: Path) -> dict[str, int]:
    file = folder / "ports.json"
    until = time.monotonic() + OFFICES_OPEN_SECONDS
    while not file.exists():
        children.check()
        if time.monotonic() > until:
            raise DemoError("the legacy systems did not open in time - the machine is busy - try again")
        await asyncio.sleep(0.05)
    ports: dict[str, int] = json.loads(file.read_text())
    return ports


async def _work(audit: Audit, children: Children, run: Run, wish: Wish, screen: Screen) -> Ending:
    today = datetime.now(UTC).date()
    cases = draw_cases(wish.transactions, seed=wish.seed, run=run.name, today=today, faults=wish.faults)
    for trouble in audit.troubles:
        screen.note(f"fault injected: {trouble}")
    clerks = asyncio.create_task(enter_all(cases, audit.ports, wish.rate))
    try:
        return await audit.watch(clerks, children, screen)
    finally:
        clerks.cancel()
        await asyncio.gather(clerks, return_exceptions=True)
        await audit.stop_listening()


def _conclude(ending: Ending, wish: Wish, screen: Screen, run: Run) -> int:
    screen.close(wipe=True)
    print_summary(screen.out, ending)
    if wish.json_file is not None:
        wish.json_file.write_text(json.dumps(ending.as_json(), indent=2, ensure_ascii=False) + "\n")
        screen.out.print(f"as JSON: {wish.json_file}", markup=False, soft_wrap=True)
    if not ending.account.clean:
        (run.folder / "keep").touch()
        screen.out.print(f"books and logs are kept in {run.folder}", markup=False, soft_wrap=True)
    if wish.stays:
        screen.out.print(f"console: http://127.0.0.1:{wish.port}/ - stays up until Ctrl-C", markup=False)
    screen.out.print(ending.account.last_line, markup=False, soft_wrap=True)
    return CLEAN if ending.account.clean else FINDINGS


async def _stay(children: Children) -> None:
    while True:
        children.check()
        await asyncio.sleep(WATCH_SECONDS)
