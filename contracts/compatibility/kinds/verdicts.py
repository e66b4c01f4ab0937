"""Rules for a break that no kind of difference explains, and for one that could not be ruled out."""

from __future__ import annotations

from typing import Final

from contracts.compatibility.kinds.kind import TELL_READERS, WRITE_NEW_MAJOR
from contracts.finding import Rule

NARROWED: Final = Rule(
    "SCHEMA_NARROWED",
    "An event that was valid is refused now, by keywords that act together",
    WRITE_NEW_MAJOR,
)
WIDENED: Final = Rule(
    "SCHEMA_WIDENED",
    "An event that is valid now was refused before, by keywords that act together",
    TELL_READERS,
)
UNDECIDED: Final = Rule(
    "COMPATIBILITY_UNDECIDED",
    "What cannot be proved is taken for a break: nobody knows whom it hits",
    "write the change more simply, publish a new major version, or have it waived",
)
RULES: Final = (NARROWED, WIDENED, UNDECIDED)
