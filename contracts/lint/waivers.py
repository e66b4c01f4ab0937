"""`waivers.yaml` at a catalogue's root, which may be absent: findings somebody has answered for, for a time.

```yaml
- fingerprint: 7f1c0a9be24d5310 # from `--json`
  rule: ENUM_ARRAY_NARROWED
  reason: The value was never sent; the three readers agreed on 4 May.
  approvers: [Registrar of Births] # agencies, or offices that own a contract
  expires: 2027-06-30
```

Law: a waiver silences one finding until its last day. One that says too little, is over, or silences nothing
is itself a finding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from contracts.compatibility import kinds as compatibility
from contracts.documents.document import Document, read_yaml
from contracts.documents.loaded import Loaded
from contracts.documents.shapes import Date
from contracts.errors import DocumentError
from contracts.finding import Finding, Rule
from contracts.lint.rules import breaking

FILE: Final = "waivers.yaml"

FIELDS: Final = Rule(
    "waiver-fields",
    "a waiver that cannot be read waives nothing",
    "write `fingerprint`, `rule`, `reason`, `approvers` and `expires` for each",
    "MINIMAL",
)
REASON: Final = Rule(
    "waiver-reason",
    "who reads it later must be able to judge it",
    "say in `reason` why the finding does no harm",
    "MINIMAL",
)
APPROVER: Final = Rule(
    "waiver-approver",
    "somebody who answers for a contract must have agreed",
    "name in `approvers` an agency, or an office that is `owner` of a contract",
    "MINIMAL",
)
EXPIRED: Final = Rule(
    "waiver-expired",
    "a waiver is for a time, and this one's is over",
    "mend what it waived and remove it, or have it approved anew",
    "MINIMAL",
)
UNUSED: Final = Rule(
    "waiver-used",
    "a waiver that silences nothing waits for the next finding of that kind",
    "remove it, or correct its fingerprint, which `--json` shows",
    "MINIMAL",
)
RULES: Final = (FIELDS, REASON, APPROVER, EXPIRED, UNUSED)
OF_BREAKING: Final = frozenset(rule.code for rule in (*breaking.RULES, *compatibility.RULES))
"""The codes of findings about a change; all others are lint's."""

_CODES: Final = frozenset(rule.code for rule in RULES)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    rule: str
    reason: str = ""
    approvers: list[str] = []
    expires: Date


_LIST: Final = TypeAdapter(list[_Shape])


def apply_waivers(
    findings: Iterable[Finding],
    loaded: Loaded,
    today: date,
    *,
    check: Literal["lint", "breaking"] = "lint",
    left: Collection[str] = (),
) -> tuple[Finding, ...]:
    """The findings that are not waived, and what is wrong with the waivers.

    Args:
        findings: What a check has found.
        loaded: The catalogue; `waivers.yaml` lies at its root.
        today: The day on which a waiver must hold.
        check: Whose findings these are; waivers of the other check are left to it.
        left: The codes of rules that are not asked now: their waivers are neither used nor unused.
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
        details = error.errors(include_url=False, include_context=False, include_input=False)
        return (*kept, *(FIELDS.at(document.place(*d["loc"]), _fault(d["loc"], d["msg"])) for d in details))
    faults: list[Finding] = []
    for row, shape in enumerate(shapes):
        if shape.rule in left or (shape.rule in OF_BREAKING) != (check == "breaking"):
            continue
        wrong = [*_faults(document, row, shape, _known(loaded), today)]
        waived = [finding for finding in kept if _matches(shape, finding)]
        if not waived:
            wrong.append(UNUSED.at(document.place(row), f"no finding is waived by `{shape.fingerprint}`"))
        if not wrong:
            kept = [finding for finding in kept if finding not in waived]
        faults += wrong
    return (*kept, *faults)


def _matches(shape: _Shape, finding: Finding) -> bool:
    return (finding.code, finding.fingerprint) == (shape.rule, shape.fingerprint) and shape.rule not in _CODES


def _faults(
    document: Document, row: int, shape: _Shape, known: Collection[str], today: date
) -> Iterator[Finding]:
    if not shape.reason.strip():
        yield REASON.at(document.place(row, "reason"), "the waiver gives no `reason`")
    if not shape.approvers:
        yield APPROVER.at(document.place(row, "approvers"), "nobody has approved the waiver")
    for index, approver in enumerate(shape.approvers):
        if approver not in known:
            place = document.place(row, "approvers", index)
            yield APPROVER.at(place, f"`{approver[:100]}` answers for nothing in the catalogue")
    if date.fromisoformat(shape.expires) < today:
        yield EXPIRED.at(document.place(row, "expires"), f"the waiver ended on {shape.expires}")


def _known(loaded: Loaded) -> frozenset[str]:
    owners = {entry.contract.owner for entry in loaded.contracts.values()}
    return frozenset(loaded.agencies) | {owner for owner in owners if owner}


def _fault(steps: tuple[int | str, ...], message: str) -> str:
    name = ".".join(str(step) for step in steps) or "the document"
    return f"`{name}`: {message}"
