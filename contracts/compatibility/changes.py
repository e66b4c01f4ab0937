"""What has changed from one catalogue to another, for a reviewer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from contracts.catalog import Catalog
from contracts.compatibility.differences import Difference, differences
from contracts.compatibility.modes import is_same, judge
from contracts.compatibility.verdict import Verdict
from contracts.contract import Contract, ContractVersion
from contracts.visible_text import visible, visible_json

Form = Literal["text", "json", "markdown"]

_WORDS: Final = {"compatible": "yes", "incompatible": "no", "undecided": "cannot be proved"}


@dataclass(frozen=True, slots=True)
class Change:
    """What has changed in one contract: a version changed, added or removed.

    Attributes:
        subject: Of the contract.
        old: The version before; None when there was none.
        new: The version now; None when it is gone.
        backward: Whether readers of the new version can read what was sent under the old one.
        forward: Whether readers of the old version can read what is sent under the new one.
        differences: In the order of the new schema.
    """

    subject: str
    old: ContractVersion | None
    new: ContractVersion | None
    backward: Verdict | None = None
    forward: Verdict | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def title(self) -> str:
        """The subject and the versions, in one line."""
        if self.old and self.new:
            return f"{self.subject} {self.old.number} -> {self.new.number}"
        version = self.new or self.old
        return f"{self.subject} {version.number if version else ''} {'added' if self.new else 'removed'}"

    def as_json(self) -> dict[str, Any]:
        """The change as one JSON object."""
        fields: dict[str, Any] = {
            "subject": self.subject,
            "old": self.old.number if self.old else None,
            "new": self.new.number if self.new else None,
        }
        if self.backward and self.forward:
            fields |= {"backward": self.backward.answer, "forward": self.forward.answer}
        return {**fields, "differences": [_difference_json(each) for each in self.differences]}


def changes(old: Catalog, new: Catalog) -> Iterator[Change]:
    """Every change of a schema, by subject; a version is compared with the one before it."""
    for subject in sorted({*old.contracts, *new.contracts}):
        yield from _changes(subject, old.contracts.get(subject), new.contracts.get(subject))


def write_changes(found: Sequence[Change], form: Form) -> str:
    """The changes in one form, without a last line break."""
    if form == "json":
        return "\n".join(visible_json(change.as_json()) for change in found)
    found = [replace(change, differences=tuple(_of_interest(change.differences))) for change in found]
    lines = _text if form == "text" else _markdown
    return "\n".join(visible(line) for change in found for line in lines(change)).rstrip("\n")


def _changes(subject: str, before: Contract | None, now: Contract | None) -> Iterator[Change]:
    old = {version.number: version for version in before.versions} if before else {}
    new = {version.number: version for version in now.versions} if now else {}
    yield from (Change(subject, version, None) for number, version in old.items() if number not in new)
    previous: ContractVersion | None = None
    for number, version in new.items():
        if number not in old:
            yield _compared(subject, previous, version) if previous else Change(subject, None, version)
        elif not is_same(old[number], version):
            yield _compared(subject, old[number], version)
        previous = version


def _compared(subject: str, old: ContractVersion, new: ContractVersion) -> Change:
    found = differences(
        old.schema,
        new.schema,
        old_references=old.references,
        new_references=new.references,
        tolerant=old.content_model == new.content_model == "tolerant",
    )
    return Change(subject, old, new, judge(old, new), judge(new, old), found)


def _of_interest(found: Sequence[Difference]) -> Iterator[Difference]:
    yield from (each for each in found if each.name != "ID_CHANGED")  # each version has its own


def _difference_json(difference: Difference) -> dict[str, Any]:
    return {
        "type": difference.name,
        "field": difference.field,
        "what": difference.what,
        "old_path": difference.old_path,
        "new_path": difference.new_path,
        "can_break_new_readers": difference.kind.narrows,
        "can_break_old_readers": difference.kind.widens,
    }


def _text(change: Change) -> Iterator[str]:
    yield change.title
    yield from (f"  {line}" for line in _verdicts(change))
    width = max((len(difference.field) for difference in change.differences), default=0)
    for difference in change.differences:
        yield f"  {difference.field:<{width}}  {difference.what} - {_effect(difference)} ({difference.name})"
    yield ""


def _markdown(change: Change) -> Iterator[str]:
    yield f"### {change.title}"
    yield ""
    yield from (f"- {line}" for line in _verdicts(change))
    if change.differences:
        yield from ("", "| Field | Change | Effect | Type |", "|---|---|---|---|")
    for difference in change.differences:
        cells = (f"`{difference.field}`", difference.what, _effect(difference), f"`{difference.name}`")
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _verdicts(change: Change) -> Iterator[str]:
    if change.old and change.new and change.backward and change.forward:
        old, new = change.old.number, change.new.number
        yield f"readers of {new} can read what was sent under {old}: {_WORDS[change.backward.answer]}"
        yield f"readers of {old} can read what is sent under {new}: {_WORDS[change.forward.answer]}"


def _effect(difference: Difference) -> str:
    match difference.kind.narrows, difference.kind.widens:
        case True, True:
            return "can break old and new readers"
        case True, False:
            return "can break new readers"
        case False, True:
            return "can break old readers"
        case _:
            return "breaks nobody"
