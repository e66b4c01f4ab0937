"""Runs the legacy systems named in a JSON file until the process is told to stop.

The file names the folder of the books, the seed, the number the books have reached and each system's weather.
The ports the offices got are written to `ports.json` in that folder once all of them are open.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random

from connectors.demo.legacy.civil_registry import CivilRegistry
from connectors.demo.legacy.health import PatientSystem
from connectors.demo.legacy.ledger import Ledger, Paper
from connectors.demo.legacy.municipality import MunicipalRegister
from connectors.demo.legacy.office import Office
from connectors.demo.legacy.social_security import BenefitSystem
from connectors.demo.legacy.system import System
from connectors.demo.legacy.tax import TaxRegister
from connectors.demo.legacy.weather import Weather

NIGHT_SECONDS = 1.0
TRAY_SECONDS = 0.1


class House:
    """One legacy system in its building: its books, its office and its clerks."""

    def __init__(
        self, system: System, folder: Path, weather: Weather, random: Random, first_number: int
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.system = system
        self._weather = weather
        self._random = random
        self._worked = 0
        self._ledger = Ledger(
            folder / system.books,
            system.schema,
            tells_repeats_by=system.tells_repeats_by,
            first_number=first_number,
        )
        self.office = Office(answer=self._take, counter=self._enter, weather=weather)

    def _take(self, form: str, fields: Mapping[str, str], key: str | None) -> bool:
        return self._ledger.take(Paper(form, fields), key=key, work_seconds=self._random.uniform(0.05, 0.4))

    def _enter(self, form: str, fields: Mapping[str, str], _key: str | None) -> bool:
        with self._ledger.writing():
            return self.system.enter(self._ledger, Paper(form, fields))

    def _work(self) -> None:
        for number, paper in self._ledger.due():
            self._worked += 1
            with self._ledger.writing():
                for _ in range(self._times()):
                    self.system.work(self._ledger, paper, self._random)
                self._ledger.finish(number)

    def _times(self) -> int:
        if self._worked == self._weather.loses_after_calls:
            return 0
        return 2 if self._worked == self._weather.doubles_after_calls else 1

    async def live(self) -> None:
        """Work through the tray by day and run the batch program by night, for ever."""
        nights_every = round(NIGHT_SECONDS / TRAY_SECONDS)
        turn = 0
        while True:
            self._work()
            if turn % nights_every == 0:
                self.system.run_night_job(self._ledger)
            turn += 1
            await asyncio.sleep(TRAY_SECONDS)


async def serve(config: Mapping[str, object]) -> None:
    """Open every office, write down the ports, and live until cancelled."""
    folder = Path(str(config["folder"]))
    weather = config["weather"]
    assert isinstance(weather, dict)  # noqa: S101 - our own file
    first_number = int(str(config["first_number"]))
    houses = []
    for make in (CivilRegistry, PatientSystem, TaxRegister, BenefitSystem, MunicipalRegister):
        system: System = make(folder / make.name)
        random = Random(f"{config['seed']}/{make.name}")  # noqa: S311 - a demo
        houses.append(
            House(system, folder / make.name, Weather(**weather.get(make.name, {})), random, first_number)
        )
    for house in houses:
        await house.office.open()
    ports = folder / "ports.json"
    ports.with_suffix(".part").write_text(
        json.dumps({house.system.name: house.office.port for house in houses})
    )
    ports.with_suffix(".part").replace(ports)
    await asyncio.gather(*(house.live() for house in houses))


async def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    config = json.loads(Path(sys.argv[1]).read_text())  # noqa: ASYNC240 - before anything is served
    task = asyncio.ensure_future(serve(config))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    asyncio.run(main())
