"""The way between two versions of a contract: which conversions, in which order.

Law: a route is a function of the catalogue alone. Up goes by `upcast`, down by `downcast` documents. Between
minor versions nothing needs to be converted where the contract's mode says that a newer one reads the older.
What comes out of a route is checked against where it leads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.errors import ConversionError
from contracts.versions.conversion import Conversion

if TYPE_CHECKING:
    from contracts.contract import Contract, ContractVersion

SHOWN_VIOLATIONS = 3


@dataclass(frozen=True, slots=True)
class Route:
    """The way from one version's data to another's.

    Attributes:
        source: Whose data it takes.
        target: Whose data it makes.
        steps: The conversions in order; none where the data may stay as it is.
    """

    source: ContractVersion
    target: ContractVersion
    steps: tuple[Conversion, ...]

    def read(self, data: object) -> Any:
        """The data in the target version, as its readers may have it.

        Raises:
            ConversionError: It cannot be said there; names contract, versions and rule, and no data.
        """
        made = self._converted(data)
        if self.steps and not self.target.reader.is_valid(made):
            raise self._fault(self.target.reader.violations(made))
        return made

    def write(self, data: object) -> Any:
        """The data in the target version, as it may be published.

        Raises:
            ConversionError: It cannot be said there; names contract, versions and rule, and no data.
        """
        made = self._converted(data)
        if not self.target.is_valid(made):
            raise self._fault(self.target.violations(made))
        return made

    def _converted(self, data: object) -> Any:
        for step in self.steps:
            data = step.apply(data)
        return data

    def _fault(self, violations: tuple[Any, ...]) -> ConversionError:
        shown = "; ".join(violation.message for violation in violations[:SHOWN_VIOLATIONS])
        what = f"what it makes breaks version {self.target.number}: {shown or 'it is not JSON'}"
        return ConversionError(self.target.contract.subject, self.steps[-1], what)


def up(source: ContractVersion, target: ContractVersion) -> Route | None:
    """The way from an older version to a newer one, or None where the catalogue knows none."""
    steps: list[Conversion] = []
    here: ContractVersion | None = source
    while here is not None and here is not target:
        leap = next(_upcasts(here, target), None)
        if leap is not None and leap.upcast is not None:
            steps.append(leap.upcast)
        here = leap or _next_minor(here)
    return None if here is None else Route(source, target, tuple(steps))


def down(source: ContractVersion, major: int) -> Route | None:
    """The way from a version to one of an older major version, or None where the catalogue knows none."""
    steps: list[Conversion] = []
    here: ContractVersion | None = source
    while here is not None and here.major > major:
        downcast = here.downcast
        if downcast is not None:
            steps.append(downcast)
        here = _numbered(here.contract, downcast.target) if downcast else _next_minor(here)
    return None if here is None or here.major < major else Route(source, here, tuple(steps))


def _upcasts(here: ContractVersion, target: ContractVersion) -> Iterator[ContractVersion]:
    for version in reversed(here.contract.versions):
        known = version.upcast is not None and version.upcast.source == here.number
        if known and _order(here) < _order(version) <= _order(target):
            yield version


def _next_minor(here: ContractVersion) -> ContractVersion | None:
    """The next minor version, where its readers can read this one's data as it is."""
    if not here.contract.compatibility.startswith(("BACKWARD", "FULL")):
        return None
    later = (version for version in here.contract.versions if version.major == here.major)
    return next((version for version in later if version.minor > here.minor), None)


def _numbered(contract: Contract, number: str) -> ContractVersion | None:
    return next((version for version in contract.versions if version.number == number), None)


def _order(version: ContractVersion) -> tuple[int, int]:
    return version.major, version.minor
