"""The five legacy systems of a JSON file, at work in one process.

The file has the folder of the databases, the seed, the number that row numbers begin after, and the faults of
each system. The ports of the offices are written to `ports.json` in that folder once all of them listen.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from connectors.demo.legacy.civil_registry import CivilRegistry
from connectors.demo.legacy.database import LegacyDatabase, Paper
from connectors.demo.legacy.health import PatientSystem
from connectors.demo.legacy.municipality import MunicipalRegister
from connectors.demo.legacy.office import Office, OfficeFaults
from connectors.demo.legacy.social_security import BenefitSystem
from connectors.demo.legacy.system import LegacySystem
from connectors.demo.legacy.tax import TaxRegister

__all__ = ["main"]

SYSTEMS = (CivilRegistry, PatientSystem, TaxRegister, BenefitSystem, MunicipalRegister)
NIGHT_SECONDS = 1.0
WORK_SECONDS = 0.1


class RunningSystem:
    """One legacy system at work: its database, its office and its staff."""

    def __init__(
        self, system: LegacySystem, folder: Path, faults: OfficeFaults, *, seed: int, first_number: int
    ) -> None:
        self.system = system
        self._faults = faults
        self._random = Random(f"{seed}/{system.name}")  # noqa: S311 - a demo
        self._worked = 0
        self._database = LegacyDatabase(
            folder / system.file, system.schema, repeats_by=system.repeats_by, first_number=first_number
        )
        self.office = Office(intake=self._take, counter=self._enter, faults=faults)

    def _take(self, form: str, fields: Mapping[str, str], key: str | None) -> bool:
        return self._database.take(Paper(form, fields), key=key, work_seconds=self._random.uniform(0.05, 0.4))

    def _enter(self, form: str, fields: Mapping[str, str], _key: str | None) -> bool:
        with self._database.writing():
            return self.system.enter(self._database, Paper(form, fields))

    def _work(self) -> None:
        for number, paper in self._database.due():
            self._worked += 1
            with self._database.writing():
                for _ in range(self._times()):
                    self.system.work(self._database, paper, self._random)
                self._database.finish(number)

    def _times(self) -> int:
        if self._worked == self._faults.loses_after_calls:
            return 0
        return 2 if self._worked == self._faults.doubles_after_calls else 1

    async def run(self) -> None:
        """Do the work that is due, and run the batch programs once a second."""
        nights_every = round(NIGHT_SECONDS / WORK_SECONDS)
        turn = 0
        while True:
            self._work()
            if turn % nights_every == 0:
                for job in self.system.night_jobs:
                    job.run(self._database)
            turn += 1
            await asyncio.sleep(WORK_SECONDS)


async def main(config: Path) -> None:
    """Run until SIGTERM or SIGINT."""
    task = asyncio.ensure_future(_serve(json.loads(config.read_text())))  # noqa: ASYNC240 - before anything runs
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


async def _serve(config: Mapping[str, Any]) -> None:
    folder = Path(config["folder"])
    running = []
    for make in SYSTEMS:
        home = folder / make.name
        home.mkdir(parents=True, exist_ok=True)
        faults = OfficeFaults(**config["faults"].get(make.name, {}))
        numbers = {"seed": config["seed"], "first_number": config["first_number"]}
        running.append(RunningSystem(make(home), home, faults, **numbers))
    for each in running:
        await each.office.open()
    ports = folder / "ports.json"
    part = ports.with_suffix(".part")
    part.write_text(json.dumps({each.system.name: each.office.port for each in running}))
    part.replace(ports)
    await asyncio.gather(*(each.run() for each in running))
