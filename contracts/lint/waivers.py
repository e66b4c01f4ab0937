"""The optional `waivers.yaml` at a catalogue's root: findings that are accepted for a limited time.

```yaml
- fingerprint: 7f1c0a9be24d5310 # from `--json`
  rule: ENUM_ARRAY_NARROWED
  reason: The value was never sent; the three readers agreed on 4 May.
  approvers: [Registrar of Births] # agencies, or offices that own a contract
  expires: 2027-06-30
```

Law: a waiver suppresses one finding until its last day. An incomplete, expired or unused waiver is a finding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import Annotated, Final, Literal

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
    "an agency or office that is responsible for a contract must have approved the waiver",
    "name in `approvers` an agency, or an office that is `owner` of a contract",
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


class _WaiverShape(DocumentShape):
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    rule: str
    reason: str = ""
    approvers: list[str] = Field(default_factory=list)
    expires: Date


_LIST: Final = TypeAdapter(list[_WaiverShape])


def apply_waivers(
    findings: Iterable[Finding],
    loaded: Loaded,
    today: date,
    *,
    check: Literal["lint", "breaking"] = "lint",
    left: Collection[str] = (),
) -> tuple[Finding, ...]:
    """The findings that are not waived, and findings about the waivers.

    Args:
        findings: The findings of a check.
        loaded: The catalogue.
        today: The day on which a waiver must be valid.
        check: The check that made the findings; waivers for the other check are ignored.
        left: Codes of rules that do not apply now; their waivers are not reported as unused.
    """
    kept = list(findings)
    if not (loaded.root / FILE).exists() and not (loaded.root / FILE).is_symlink():
        return tuple(kept)
    try:
        document = read_yaml(loaded.root, FILE)
        shapes = _LIST.validate_python(document.value or [])
    except DocumentError as error:
        return (*kept, error.finding)
    except ValidationError as error:
        return (*kept, *structure_faults(document, error, FIELDS))
    faults: list[Finding] = []
    for row, shape in enumerate(shapes):
        if shape.rule in left or (shape.rule in OF_BREAKING) != (check == "breaking"):
            continue
        wrong = [*_faults(document, row, shape, _known(loaded), today)]
        waived = [finding for finding in kept if _matches(shape, finding)]
        if not waived:
            wrong.append(
                UNUSED.at(document.place(row), f"no finding has the fingerprint `{shape.fingerprint}`")
            )
        if not wrong:
            kept = [finding for finding in kept if finding not in waived]
        faults += wrong
    return (*kept, *faults)


def _matches(shape: _WaiverShape, finding: Finding) -> bool:
    return (finding.code, finding.fingerprint) == (shape.rule, shape.fingerprint) and shape.rule not in _CODES


def _faults(
    document: Document, row: int, shape: _WaiverShape, known: Collection[str], today: date
) -> Iterator[Finding]:
    if not shape.reason.strip():
        yield REASON.at(document.place(row, "reason"), "the waiver has no `reason`")
    if not shape.approvers:
        yield APPROVER.at(document.place(row, "approvers"), "the waiver has no approver")
    for index, approver in enumerate(shape.approvers):
        if approver not in known:
            place = document.place(row, "approvers", index)
            yield APPROVER.at(place, f"`{approver[:100]}` is not an agency or owner in the catalogue")
    if date.fromisoformat(shape.expires) < today:
        yield EXPIRED.at(document.place(row, "expires"), f"the waiver ended on {shape.expires}")


def _known(loaded: Loaded) -> frozenset[str]:
    owners = {entry.contract.owner for entry in loaded.contracts.values()}
    return frozenset(loaded.agencies) | {owner for owner in owners if owner}
