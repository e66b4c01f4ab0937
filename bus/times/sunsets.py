"""The last days of the versions that a program publishes and reads: told before, and after.

Law of this file: nothing ends in silence. Once a day, from 90 days before its last day on, and at each start.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import NamedTuple

from contracts import Catalog, ContractError, ContractVersion, visible_logger

logger = visible_logger("govbus.sunsets")

TELL_SECONDS = 3_600.0


class VersionUse(NamedTuple):
    """A version that a program reads by a subscription, or publishes, where that is None."""

    version: ContractVersion
    subscription: str | None


def warning(use: VersionUse, today: date) -> str | None:
    """Return what is to be said of a version on a day; None where its end is far. Pure."""
    version = use.version
    left = version.days_left(today)
    if left is None or not version.is_ending(today):
        return None
    subject, newest = version.contract.subject, version.contract.version()
    ends = _when(version, left)
    if use.subscription is None:
        how = _how(version, newest, f"Publish version {newest.number}")
        if left < 0:
            return f"{subject} {version.number} is refused: its last day was {version.sunset}. {how}"
        return f"{subject} {version.number} is refused after its last day, {ends}. {how}"
    how = _how(version, newest, f"Subscribe to version {newest.major}")
    name = f"subscription `{use.subscription}`"
    if left < 0:
        return f"{name} gets no new events: the last day of {version.type} was {version.sunset}. {how}"
    return f"{name} gets no new events after the last day of {version.type}, {ends}. {how}"


def _how(version: ContractVersion, newest: ContractVersion, how: str) -> str:
    has_next = newest.sunset is None or (version.sunset is not None and newest.sunset > version.sunset)
    return how if has_next else f"Ask {version.contract.contact} for the version after it"


def endings(catalog: Catalog, today: date) -> list[str]:
    """Return of each version that ends soon when that is, and who reads it. Pure."""
    found = []
    for subject, contract in sorted(catalog.contracts.items()):
        for version in contract.versions:
            left = version.days_left(today)
            if left is not None and left >= 0 and version.is_ending(today):
                reads = sorted(
                    grant.consumer
                    for grant in catalog.subscriptions.values()
                    if (grant.subject, grant.major) == (subject, version.major) and grant.holds_on(today)
                )
                who = f"{', '.join(reads)} read it" if reads else "nobody reads it"
                found.append(f"{subject} {version.number} ends {_when(version, left)}; {who}")
    return found


def _when(version: ContractVersion, left: int) -> str:
    return f"{version.sunset}, " + (f"in {left} day{'s' * (left > 1)}" if left > 0 else "today")


def tell_of_published(version: ContractVersion, today: date) -> None:
    """Log that a version which is published ends, if it does so soon or has."""
    text = warning(VersionUse(version, None), today)
    if text is not None:
        logger.warning("%s", text)


class SunsetWatch:
    """Tells which versions of one program end.

    Args:
        catalog: the contracts.
        today: gives the day, in UTC.
        reads: gives what its subscriptions read.
        measure: takes each version's end, in days from now.
    """

    def __init__(
        self,
        catalog: Catalog,
        today: Callable[[], date],
        reads: Callable[[], Iterable[VersionUse]],
        measure: Callable[[VersionUse, int], None],
    ) -> None:
        self.catalog = catalog
        self._today = today
        self._reads = reads
        self._measure = measure
        self._published: set[tuple[str, int, int]] = set()
        self._told: dict[tuple[str, str | None], str] = {}
        self._task: asyncio.Task[None] | None = None

    def publishes(self, version: ContractVersion) -> None:
        """Note that a version is published."""
        self._published.add((version.contract.subject, version.major, version.minor))
        self._tell(VersionUse(version, None))

    def tell(self) -> None:
        """Log what was not said today, and measure."""
        for use in (*self._reads(), *self._writes()):
            self._tell(use)

    def start(self) -> None:
        """Tell now, and from now on."""
        self.tell()
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Tell no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            self.tell()

    def _writes(self) -> Iterator[VersionUse]:
        for subject, major, minor in sorted(self._published):
            try:
                yield VersionUse(self.catalog.contract(subject).version(major, minor), None)
            except ContractError:  # its contract has left the catalogue: publishing says so
                continue

    def _tell(self, use: VersionUse) -> None:
        today = self._today()
        left = use.version.days_left(today)
        if left is not None:
            self._measure(use, left)
        text = warning(use, today)
        name = (use.version.label[0] + use.version.number, use.subscription)
        if text is not None and self._told.get(name) != f"{today} {text}":
            self._told[name] = f"{today} {text}"
            logger.warning("%s", text)
