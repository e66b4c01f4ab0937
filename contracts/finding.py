"""What a check says: a rule, a place, and a line `file:line:column code what - why - how to fix`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
Category = Literal["MINIMAL", "BASIC", "STANDARD"]
"""How much is asked: each category holds the rules of those before it."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in the catalogue: a file relative to its root, a line and a column, both from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that a change breaks somebody.

    Attributes:
        verdict: `incompatible`, or `undecided` when nothing could be proved.
        witness: An event as JSON, made up, that was fine before and is refused now; None when none was found.
        old_path: A JSON pointer into the old schema.
        new_path: A JSON pointer into the new schema.
        differences: What explains it, each with the name of its kind first; the likeliest first.
        readers: Each subscription hit: `<agency> (<name>)`.
    """

    verdict: str
    witness: str | None = None
    old_path: str | None = None
    new_path: str | None = None
    differences: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The proof as one JSON object, the witness as the event itself."""
        told = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return {**told, "witness": json.loads(self.witness)} if self.witness is not None else told


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its code, why it exists, how to obey it, and the category from which on it is asked."""

    code: str
    purpose: str
    fix: str
    category: Category = "STANDARD"

    def at(self, place: Place, what: str, *, about: str = "") -> Finding:
        """A finding of this rule at a place.

        Args:
            place: Where.
            what: What is wrong there.
            about: What the finding is about, in words that stay when lines move; by default `what`.
        """
        return Finding(place, self.code, what, self.purpose, self.fix, about=about)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong at one place. Holds no value from an example or an event.

    Attributes:
        about: What it is about, in words that stay when lines move; with code and file it is the fingerprint.
        severity: An `error` fails the check; a `warning` or a `note` is only told.
        proof: For a change that breaks somebody, what shows it.
    """

    place: Place
    code: str
    what: str
    why: str
    how: str
    about: str = field(default="", compare=False)
    severity: Severity = field(default="error", compare=False)
    proof: Proof | None = field(default=None, compare=False)

    @property
    def fingerprint(self) -> str:
        """What names this finding for good: its code, its file and what it is about, but not the line."""
        text = "\0".join((self.code, self.place.file, self.about or self.what))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        mild = "" if self.severity == "error" else f"{self.severity}: "
        line = f"{self.place} {self.code} {mild}{self.what} - {self.why} - {self.how}"
        return "".join(letter if letter.isprintable() else "?" for letter in line)

    def as_json(self) -> dict[str, object]:
        """The finding as one JSON object."""
        told = {**asdict(self.place), "code": self.code, "severity": self.severity}
        told |= {"what": self.what, "why": self.why, "how": self.how, "fingerprint": self.fingerprint}
        return {**told, **self.proof.as_json()} if self.proof else told
