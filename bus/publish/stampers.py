"""The stampers of one agency, by contract version.

Law of this file: a program publishes the version that it names, in full. A newer one, of which `apply` may
tell a running process, may have a required field more or an optional one less; a minor version, too.
"""

import re
from collections.abc import Callable

from bus.errors import UsageError
from bus.stages.stamp import Companion, Stamper
from bus.topics import topic_of
from contracts import Catalog, Contract, ContractVersion

NUMBER = re.compile(r"([1-9]\d{0,5})\.(0|[1-9]\d{0,5})", re.ASCII)
"""Both numbers of a version, in the one form that there is."""
_SLIP = re.compile(r"\D*(\d{1,6})\.(\d{1,6})\D*")


class Stampers:
    """The stampers of one agency, made at first use.

    Args:
        catalog: the contracts.
        agency: the agency that publishes.
        published: called with each version that is published, at its first use.
    """

    def __init__(self, catalog: Catalog, agency: str, published: Callable[[ContractVersion], None]) -> None:
        self._catalog = catalog
        self._published = published
        self._agency = agency
        self._known: dict[tuple[str, str, str], Stamper] = {}

    def get(self, subject: str, version: str, system: str) -> Stamper:
        """Return the stamper of a contract version.

        Args:
            subject: the event's name, such as `health.record-opened`.
            version: both its numbers, such as `1.0`.
            system: the agency's system the fact comes from.

        Raises:
            ContractError: the catalogue has no such contract or version.
            EnvelopeError: the system makes no URI.
            UsageError: the event is another agency's, its name no text, or the version not given in full.
        """
        try:
            known = self._known.get((subject, version, system))
        except TypeError:  # one of them is a list or the like
            known = None
        if known is None:
            known = self._known[subject, version, system] = self._made(subject, version, system)
            self._published(known.contract)
        return known

    def _made(self, subject: str, version: str, system: str) -> Stamper:
        if not isinstance(subject, str):
            raise UsageError(
                f"Expected the event's name as text, got `{type(subject).__name__}` - at `subject`"
            )
        owned = self._catalog.contract(subject)
        if owned.agency != self._agency:
            raise UsageError(
                f"Expected an event of `{self._agency}`, got `{subject}` of `{owned.agency}`. "
                "An agency publishes facts about its own domain only"
            )
        contract = owned.version(*_numbers(owned, version))
        made = Stamper(contract, self._agency, system, topic_of(subject, contract.major))
        made.services = self._catalog.services.keys()
        made.companions = tuple(
            Companion(self._made(subject, route.target.number, system), route)
            for route in owned.companions(contract)
        )
        return made


def _numbers(contract: Contract, version: object) -> tuple[int, int]:
    found = NUMBER.fullmatch(version) if isinstance(version, str) else None
    if found is None:
        known = [each.number for each in contract.versions]
        slip = _SLIP.fullmatch(version) if isinstance(version, str) else None
        meant = None if slip is None else f"{int(slip[1])}.{int(slip[2])}"
        raise UsageError(
            "Expected the version that the data is written in, as text of both numbers such as `1.0`, got "
            f"another value - at `version`. `{contract.subject}` has {', '.join(known)}"
            + (f"; did you mean `{meant}`?" if meant in known else "")
        )
    return int(found[1]), int(found[2])
