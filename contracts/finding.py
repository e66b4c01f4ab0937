"""Rules and findings. A finding is one line: `file:line:column code what - why - how to fix`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from contracts.visible_text import visible

Severity = Literal["error", "warning", "note"]
Category = Literal["MINIMAL", "BASIC", "STANDARD"]
"""Strictness of a check: each category includes the rules of those before it."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A file, from the catalogue's root, with a line and a column, both from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Proof:
    """The evidence that a change breaks somebody, or takes something from somebody.

    Attributes:
        verdict: `incompatible`, `undecided` when neither could be proved, or `loss` where no schema decides.
        witness: A generated event that only one of the versions accepts, as JSON; None if not found.
        old_path: A JSON pointer into the old schema.
        new_path: A JSON pointer into the new schema.
        differences: The changes that explain it, each starting with the name of its kind; likeliest first.
        readers: The affected subscriptions: `<agency> (<name>)`.
        publishers: The agencies that lose something by publishing.
        decided_by: The agency whose approval alone is enough, as it decides who reads its events.
    """

    verdict: str
    witness: str | None = None
    old_path: str | None = None
    new_path: str | None = None
    differences: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    decided_by: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The proof as a JSON object, with the witness as JSON instead of text."""
        fields = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return {**fields, "witness": json.loads(self.witness)} if self.witness is not None else fields


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its code, its purpose, how to fix a finding, and the first category that includes it.

    Attributes:
        severity: Of its findings. A `warning` is for what is nobody's fault, or not the author's.
    """

    code: str
    purpose: str
    fix: str
    category: Category = "STANDARD"
    severity: Severity = "error"

    def at(self, place: Place, what: str, *, about: str = "") -> Finding:
        """A finding of this rule at a place.

        Args:
            place: Where.
            what: What is wrong there.
            about: Identifies the finding independently of its line; by default `what`.
        """
        return Finding(place, self.code, what, self.purpose, self.fix, about=about, severity=self.severity)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault at one place. Contains no value from an example or an event.

    Attributes:
        about: Identifies the finding independently of its line; part of the fingerprint.
        severity: An `error` fails the check; a `warning` or a `note` is only reported.
        proof: For a breaking change, the evidence.
        twins: Rule and fingerprint of findings about the same fault; a waiver of one serves all.
    """

    place: Place
    code: str
    what: str
    why: str
    how: str
    about: str = field(default="", compare=False)
    severity: Severity = field(default="error", compare=False)
    proof: Proof | None = field(default=None, compare=False)
    twins: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def identity(self) -> tuple[str, str]:
        """Its rule and fingerprint."""
        return self.code, self.fingerprint

    @property
    def fingerprint(self) -> str:
        """Identifies the finding across changes: a hash of code, file and `about`, without the line."""
        text = "\0".join((self.code, self.place.file, self.about or self.what))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        mild = "" if self.severity == "error" else f"{self.severity}: "
        return visible(f"{self.place} {self.code} {mild}{self.what} - {self.why} - {self.how}")

    def as_json(self) -> dict[str, object]:
        """The finding as a JSON object."""
        fields = {**asdict(self.place), "code": self.code, "severity": self.severity}
        fields |= {"what": self.what, "why": self.why, "how": self.how, "fingerprint": self.fingerprint}
        return {**fields, **self.proof.as_json()} if self.proof else fields
