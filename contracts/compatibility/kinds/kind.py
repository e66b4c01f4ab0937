"""One kind of difference between two schemas, as the tables of this folder list them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.finding import Rule

WRITE_NEW_MAJOR: Final = "keep the old form within this major version, or publish a new major version"
TELL_READERS: Final = "let every reader move to a version that accepts it before anybody sends it"
NOTHING_TO_DO: Final = "nothing: no event becomes valid or invalid"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of difference: its name, what it means, whom it can break, what to do instead.

    Attributes:
        name: As in Confluent's registry where that has the kind.
        meaning: One sentence.
        narrows: Whether an event that was valid may be refused now: breaks BACKWARD.
        widens: Whether an event that is valid now may have been refused before: breaks FORWARD.
        advice: What to do instead.
    """

    name: str
    meaning: str
    narrows: bool
    widens: bool
    advice: str

    @property
    def rule(self) -> Rule:
        """The kind as a rule, for lists and findings."""
        return Rule(self.name, f"{self.meaning}; {self.breaks}", self.advice)

    @property
    def breaks(self) -> str:
        """Whom it can break, in words."""
        match self.narrows, self.widens:
            case True, True:
                return "can break readers of the new version and of the old one"
            case True, False:
                return "a reader of the new version may refuse what was sent before"
            case False, True:
                return "a reader of the old version may refuse what is sent from now on"
            case _:
                return "breaks nobody"


def narrowing(name: str, meaning: str, advice: str = WRITE_NEW_MAJOR) -> Kind:
    """A kind that refuses more."""
    return Kind(name, meaning, narrows=True, widens=False, advice=advice)


def widening(name: str, meaning: str, advice: str = TELL_READERS) -> Kind:
    """A kind that accepts more."""
    return Kind(name, meaning, narrows=False, widens=True, advice=advice)


def changing(name: str, meaning: str, advice: str = WRITE_NEW_MAJOR) -> Kind:
    """A kind that may do both."""
    return Kind(name, meaning, narrows=True, widens=True, advice=advice)


def harmless(name: str, meaning: str, advice: str = NOTHING_TO_DO) -> Kind:
    """A kind that does neither."""
    return Kind(name, meaning, narrows=False, widens=False, advice=advice)
