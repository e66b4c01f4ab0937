"""The optional `waivers.yaml` at a catalogue's root: findings that are accepted for a limited time.

```yaml
- fingerprint: 7f1c0a9be24d5310 # from `--json`
  rule: ENUM_ARRAY_NARROWED
  reason: The value was never sent; the three readers agreed on 4 May.
  approvers: [Registrar of Births] # agencies, or offices that own a contract
  expires: 2027-06-30
```

Law: a waiver suppresses one fault until its last day: its finding, and the twin that another check makes of
it. Whoever reads what breaks has approved it; who reads an event at all is decided by its owner. An
incomplete, expired or unused waiver is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from contracts.compatibility import kinds as compatibility
from contracts.documents.document import Document, read_yaml
from contracts.documents.loaded import Loaded
from contracts.documents.shapes import Date, DocumentShape, structure_faults
from contracts.errors import DocumentError
from contracts.finding import Finding, Rule
from contracts.lint.rules import breaking

FILE: Final = "waivers.yaml"

FIELDS: Final = Rule(
    "waiver-fields",
    "a waiver that cannot be read has no effect",
    "write `fingerprint`, `rule`, `reason`, `approvers` and `expires` in each",
    "MINIMAL",
)
REASON: Final = Rule(
    "waiver-reason",
    "later readers must be able to judge the waiver",
    "explain in `reason` why the finding does no harm",
)
APPROVER: Final = Rule(
    "waiver-approver",
    "the readers that the fault hits must have approved the waiver, or else an office that owns a contract",
    "name in `approvers` each agency that is hit, or an office that is `owner` of a contract of it",
)
EXPIRED: Final = Rule(
    "waiver-expired",
    "waivers are temporary, and this one has ended",
    "fix the finding and remove the waiver, or have it approved again",
)
UNUSED: Final = Rule(
    "waiver-used",
    "an unused waiver could hide a later finding",
    "remove it, or correct its fingerprint, which `--json` shows",
)
RULES: Final = (FIELDS, REASON, APPROVER, EXPIRED, UNUSED)
OF_BREAKING: Final = frozenset(rule.code for rule in (*breaking.RULES, *compatibility.RULES))
"""Codes of findings of `breaking`; all others are findings of lint."""

_CODES: Final = frozenset(rule.code for rule in RULES)


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that somebody answers for, until a day.

    Attributes:
        expires: The last day on which it holds.
    """

    fingerprint: str
    rule: str
    reason: str
    approvers: tuple[str, ...]
    expires: date

    def matches(self, finding: Finding) -> bool:
        """Whether it is about the finding, or about a twin of it."""
        return self.rule not in _CODES and (self.rule, self.fingerprint) in {
            finding.identity,
            *finding.twins,
        }


@dataclass(frozen=True, slots=True)
class Waived:
    """A finding, and the waiver about it.

    Attributes:
        missing: The agencies that it hits and that have not approved. While there are any, the finding stays.
    """

    finding: Finding
    waiver: Waiver
    missing: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Until when, by whom and why."""
        by = ", ".join(self.waiver.approvers)
        without = f", not yet approved by {', '.join(self.missing)}" if self.missing else ""
        return f"waived until {self.waiver.expires} by {by}{without}: {self.waiver.reason}"

    def as_json(self) -> dict[str, Any]:
        """Until when, by whom and why, as a JSON object."""
        given = {"until": str(self.waiver.expires), "approvers": list(self.waiver.approvers)}
        return {**given, "missing": list(self.missing), "reason": self.waiver.reason}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Findings that stay, those about waivers among them, and those that have a waiver."""

    kept: tuple[Finding, ...]
    waived: tuple[Waived, ...] = ()


class WaiverShape(DocumentShape):
    """One row of `waivers.yaml`.

    Attributes:
        fingerprint: Of the finding, as `--format json` shows it.
        rule: Its rule.
        reason: Why it is accepted.
        approvers: Agencies, or offices that own a contract.
        expires: The last day.
    """

    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    rule: str
    reason: str = ""
    approvers: list[str] = Field(default_factory=list)
    expires: Date

    def waiver(self) -> Waiver:
        """What it says, as a value."""
        day = date.fromisoformat(self.expires)
        return Waiver(self.fingerprint, self.rule, self.reason.strip(), tuple(self.approvers), day)


WAIVERS: Final = TypeAdapter(list[WaiverShape])
"""What `waivers.yaml` is read by."""


def fingerprints(root: Path) -> frozenset[str]:
    """The fingerprints that are waived in the catalogue at `root`; none when its waivers cannot be read."""
    try:
        return frozenset(waiver.fingerprint for waiver in _read(root)[1])
    except (DocumentError, ValidationError):
        return frozenset()


def apply_waivers(
    findings: Iterable[Finding],
    loaded: Loaded,
    today: date,
    *,
    check: Literal["lint", "breaking"] = "lint",
    left: Collection[str] = (),
    known: Collection[str] = (),
    elsewhere: Callable[[], Iterable[Finding]] = tuple,
) -> CheckResult:
    """Separate the findings that are waived, and add findings about the waivers.

    Args:
        findings: The findings of a check.
        loaded: The catalogue.
        today: The day on which a waiver must be valid.
        check: The check that made the findings. A waiver of the other check counts only where it is about
            a twin of one of them.
        left: Codes of rules that do not apply now; their waivers are not reported as unused.
        known: Fingerprints of waivers that the earlier catalogue had. One that nothing needs any more has
            done its work, which is only a warning.
        elsewhere: Findings of the other check; a waiver that one of them needs is not unused.
    """
    kept = list(findings)
    try:
        document, waivers = _read(loaded.root)
    except DocumentError as error:
        return CheckResult((*kept, error.finding))
    except ValidationError as error:
        document = read_yaml(loaded.root, FILE)
        return CheckResult((*kept, *structure_faults(document, error, FIELDS)))
    others: list[Finding] | None = None
    faults: list[Finding] = []
    waived: list[Waived] = []
    for row, waiver in enumerate(waivers):
        matched = [finding for finding in kept if waiver.matches(finding)]
        matched += [each.finding for each in waived if waiver.matches(each.finding)]
        if waiver.rule in left or (not matched and (waiver.rule in OF_BREAKING) != (check == "breaking")):
            continue
        if not matched:
            others = list(elsewhere()) if others is None else others
            if any(waiver.matches(finding) for finding in others):
                continue
            what = f"no finding has the fingerprint `{waiver.fingerprint}`"
            unused = UNUSED.at(document.place(row), what)
            faults.append(replace(unused, severity="warning") if waiver.fingerprint in known else unused)
        wrong = list(_faults(document, row, waiver, loaded, today))
        missing = tuple(sorted(_missing(waiver, matched, loaded))) if not wrong else ()
        if missing:
            names = ", ".join(f"`{name}`" for name in missing)
            what = f"not yet approved by whom it hits: {names}"
            faults.append(APPROVER.at(document.place(row, "approvers"), what))
        faults += wrong
        if not wrong:
            waived += [Waived(finding, waiver, missing) for finding in matched if finding in kept]
        if not wrong and not missing:
            kept = [finding for finding in kept if finding not in matched]
    return CheckResult((*kept, *faults), tuple(waived))


def _read(root: Path) -> tuple[Document, list[Waiver]]:
    if not (root / FILE).exists() and not (root / FILE).is_symlink():
        return Document(FILE, b"", []), []
    document = read_yaml(root, FILE)
    return document, [shape.waiver() for shape in WAIVERS.validate_python(document.value or [])]


def _faults(document: Document, row: int, waiver: Waiver, loaded: Loaded, today: date) -> Iterator[Finding]:
    if not waiver.reason:
        yield REASON.at(document.place(row, "reason"), "the waiver has no `reason`")
    if not waiver.approvers:
        yield APPROVER.at(document.place(row, "approvers"), "the waiver has no approver")
    known = {*loaded.agencies, *(entry.contract.owner for entry in loaded.contracts.values())} - {""}
    for index, approver in enumerate(waiver.approvers):
        if approver not in known:
            place = document.place(row, "approvers", index)
            yield APPROVER.at(place, f"`{approver[:100]}` is not an agency or owner in the catalogue")
    if waiver.expires < today:
        yield EXPIRED.at(document.place(row, "expires"), f"the waiver ended on {waiver.expires}")


def _missing(waiver: Waiver, matched: Iterable[Finding], loaded: Loaded) -> set[str]:
    """The agencies that a waived finding hits, and that have not approved."""
    approved = {*waiver.approvers}
    for entry in loaded.contracts.values():
        if entry.contract.owner in waiver.approvers:
            approved.add(entry.contract.agency)
    proofs = [finding.proof for finding in matched if finding.proof is not None]
    hit = {
        reader.partition(" (")[0]
        for proof in proofs
        if proof.decided_by not in approved
        for reader in proof.readers
    }
    return (hit & loaded.agencies.keys()) - approved
