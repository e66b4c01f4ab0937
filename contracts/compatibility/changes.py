"""What has changed from one catalogue to another, for a reviewer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from contracts.catalog import Catalog
from contracts.compatibility.differences import Difference
from contracts.compatibility.modes import Direction, Pair, is_same, judge, version_differences
from contracts.compatibility.verdict import Verdict
from contracts.contract import Contract, ContractVersion
from contracts.visible_text import visible, visible_json

Form = Literal["text", "json", "markdown"]

_WORDS: Final = {"compatible": "yes", "incompatible": "no", "undecided": "cannot be proved"}
_BACKWARD: Final[Direction] = "BACKWARD"
_FORWARD: Final[Direction] = "FORWARD"


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
        waived: What is waived of `backward` and `forward`: until when, by whom and why.
    """

    subject: str
    old: ContractVersion | None
    new: ContractVersion | None
    backward: Verdict | None = None
    forward: Verdict | None = None
    differences: tuple[Difference, ...] = ()
    waived: Mapping[Direction, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The subject and the versions, in one line."""
        if self.old and self.new:
            return f"{self.subject} {self.old.number} -> {self.new.number}"
        version = self.new or self.old
        return f"{self.subject} {version.number if version else ''} {'added' if self.new else 'removed'}"

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Who can read what, in words; nothing where there is no version to compare with."""
        if not (self.old and self.new and self.backward and self.forward):
            return ()
        old, new = self.old.number, self.new.number
        backward, forward = (
            ", ".join(filter(None, (_WORDS[verdict.answer], self.waived.get(direction))))
            for verdict, direction in ((self.backward, _BACKWARD), (self.forward, _FORWARD))
        )
        return (
            f"readers of {new} can read what was sent under {old}: {backward}",
            f"readers of {old} can read what is sent under {new}: {forward}",
        )

    @property
    def shown(self) -> tuple[Difference, ...]:
        """The differences that a reviewer looks at: each version has an `$id` of its own."""
        return tuple(each for each in self.differences if each.name != "ID_CHANGED")

    def as_json(self) -> dict[str, Any]:
        """The change as one JSON object."""
        fields: dict[str, Any] = {
            "subject": self.subject,
            "old": self.old.number if self.old else None,
            "new": self.new.number if self.new else None,
        }
        if self.backward and self.forward:
            fields |= {"backward": self.backward.answer, "forward": self.forward.answer}
        if self.waived:
            fields["waived"] = {direction.lower(): words for direction, words in self.waived.items()}
        return {**fields, "differences": [_difference_json(each) for each in self.differences]}


def changes(old: Catalog, new: Catalog, waived: Mapping[Pair, str]) -> Iterator[Change]:
    """Every change of a schema, by subject; a version is compared with the one before it.

    Args:
        old: The catalogue before.
        new: The catalogue now.
        waived: What is said of each waived break.
    """
    for subject in sorted({*old.contracts, *new.contracts}):
        for each in _changes(subject, old.contracts.get(subject), new.contracts.get(subject)):
            yield replace(each, waived=dict(_waived(each, waived)))


def _waived(change: Change, waived: Mapping[Pair, str]) -> Iterator[tuple[Direction, str]]:
    if change.old and change.new:
        pair = (change.subject, change.old.number, change.new.number)
        for direction in (_BACKWARD, _FORWARD):
            if words := waived.get((*pair, direction)):
                yield direction, words


def write_changes(found: Sequence[Change], form: Form) -> str:
    """The changes in one form, without a last line break."""
    if form == "json":
        return "\n".join(visible_json(change.as_json()) for change in found)
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
    found = version_differences(old, new)
    return Change(subject, old, new, judge(old, new), judge(new, old), found)


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
    yield from (f"  {line}" for line in change.verdicts)
    width = max((len(difference.field) for difference in change.shown), default=0)
    for difference in change.shown:
        effect = effect_of(difference)
        yield f"  {difference.field:<{width}}  {difference.what} - {effect} ({difference.name})"
    yield ""


def _markdown(change: Change) -> Iterator[str]:
    yield f"### {change.title}"
    yield ""
    yield from (f"- {line}" for line in change.verdicts)
    if change.shown:
        yield from ("", "| Field | Change | Effect | Type |", "|---|---|---|---|")
    for difference in change.shown:
        cells = (f"`{difference.field}`", difference.what, effect_of(difference), f"`{difference.name}`")
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def effect_of(difference: Difference) -> str:
    """Whom a difference can break, in words."""
    match difference.kind.narrows, difference.kind.widens:
        case True, True:
            return "can break old and new readers"
        case True, False:
            return "can break new readers"
        case False, True:
            return "can break old readers"
        case _:
            return "breaks nobody"
