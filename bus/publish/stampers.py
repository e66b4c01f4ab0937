"""The stampers of one agency, by contract version."""

from bus.errors import UsageError
from bus.stages.stamp import Companion, Stamper
from bus.topics import topic_of
from contracts import Catalog


class Stampers:
    """The stampers of one agency, made at first use.

    Args:
        catalog: the contracts.
        agency: the agency that publishes.
    """

    def __init__(self, catalog: Catalog, agency: str) -> None:
        self._catalog = catalog
        self._agency = agency
        self._known: dict[tuple[str, str | int | None, str], Stamper] = {}

    def get(self, subject: str, version: str | int | None, system: str) -> Stamper:
        """Return the stamper of a contract version; of the latest if `version` is None.

        Args:
            subject: the event's name, such as `health.record-opened`.
            version: `1` or `1.0`.
            system: the agency's system the fact comes from.

        Raises:
            ContractError: the catalogue has no such contract or version.
            UsageError: the event is another agency's.
        """
        known = self._known.get((subject, version, system))
        if known is None:
            major, _, minor = ("" if version is None else str(version)).partition(".")
            owned = self._catalog.contract(subject)
            if owned.agency != self._agency:
                raise UsageError(
                    f"Expected an event of `{self._agency}`, got `{subject}` of `{owned.agency}`. "
                    "An agency publishes facts about its own domain only"
                )
            contract = owned.version(int(major) if major else None, int(minor) if minor else None)
            known = Stamper(contract, self._agency, system, topic_of(subject, contract.major))
            known.companions = tuple(
                Companion(self.get(subject, route.target.number, system), route)
                for route in owned.companions(contract)
            )
            self._known[subject, version, system] = known
        return known
