"""Which changes of a contract a compatibility mode allows.

Law: *can the reader read what the writer wrote?* BACKWARD: the new version reads the old one's events.
FORWARD: the old version reads the new one's. FULL: both. The old version is the one before, or, with
`_TRANSITIVE`, every earlier one of the same major. Writers must keep the closed schema and readers the open
one, as the contract's content model says. Only a proof allows a change: undecided is a break.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from contracts.compatibility.differences import Difference, differences
from contracts.compatibility.verdict import Verdict, decide
from contracts.contract import Compatibility, ContractVersion
from contracts.errors import SchemaUnusableError
from contracts.schema.dialect import Documents
from contracts.schema.walk import subschemas

Direction = Literal["BACKWARD", "FORWARD"]
Pair = tuple[str, str, str, Direction]
"""A subject, two versions of it, and the direction in which the second may break the first."""

DIRECTIONS: Final[Mapping[Compatibility, tuple[Direction, ...]]] = {
    "NONE": (),
    "BACKWARD": ("BACKWARD",),
    "BACKWARD_TRANSITIVE": ("BACKWARD",),
    "FORWARD": ("FORWARD",),
    "FORWARD_TRANSITIVE": ("FORWARD",),
    "FULL": ("BACKWARD", "FORWARD"),
    "FULL_TRANSITIVE": ("BACKWARD", "FORWARD"),
}
"""The directions that each mode requires."""

_SAME: Final = Verdict("compatible", "The schemas are the same.")
_OTHER: Final[Mapping[Direction, Direction]] = {"BACKWARD": "FORWARD", "FORWARD": "BACKWARD"}


@dataclass(frozen=True, slots=True)
class Break:
    """One way in which a version breaks another.

    Attributes:
        old: The version before.
        new: The version that breaks it.
        direction: The direction that is broken.
        verdict: The reason, and a witness if there is one.
        causes: The differences that may explain it, most likely first.
        passes: Whether the other direction holds.
    """

    old: ContractVersion
    new: ContractVersion
    direction: Direction
    verdict: Verdict
    causes: tuple[Difference, ...]
    passes: bool

    @property
    def old_path(self) -> str | None:
        """Where in the old schema."""
        return self.verdict.old_path if self.direction == "BACKWARD" else self.verdict.new_path

    @property
    def new_path(self) -> str | None:
        """Where in the new schema."""
        return self.verdict.new_path if self.direction == "BACKWARD" else self.verdict.old_path

    @property
    def would_pass(self) -> str:
        """The modes that allow the change."""
        return f"{_OTHER[self.direction]} and NONE" if self.passes else "NONE alone"


def version_differences(old: ContractVersion, new: ContractVersion) -> tuple[Difference, ...]:
    """Every difference between the schemas of two versions, in the order of the new one."""
    return differences(
        old.schema,
        new.schema,
        old_references=old.references,
        new_references=new.references,
        tolerant=old.content_model == new.content_model == "tolerant",
    )


def judge(writer: ContractVersion, reader: ContractVersion) -> Verdict:
    """Whether everything that may be published under one version can be read under another.

    Each version is read as its own contract says: content model, and whether formats are asserted.
    """
    if is_same(writer, reader):
        return _SAME
    try:
        return decide_documents(writer.writer_documents, reader.reader_documents, writer, reader)
    except SchemaUnusableError as error:
        return Verdict("undecided", str(error))


def decide_documents(
    sent: Documents, read: Documents, writer: ContractVersion, reader: ContractVersion
) -> Verdict:
    """The verdict on two schemas, with formats asserted on the sides whose contract asserts them."""
    asserted = writer.assert_formats or reader.assert_formats
    if asserted and not writer.assert_formats:
        sent = _without_formats(sent)
    if asserted and not reader.assert_formats:
        read = _without_formats(read)
    return decide(sent[0], read[0], old_references=sent[1], new_references=read[1], assert_formats=asserted)


def is_same(one: ContractVersion, other: ContractVersion) -> bool:
    """Whether two versions are the same; an open reader accepts what its own closed writer sends."""
    return (
        one.assert_formats == other.assert_formats
        and one.content_model == other.content_model
        and _text((one.schema, one.references)) == _text((other.schema, other.references))
    )


def _text(documents: Documents) -> str:
    return json.dumps(documents, sort_keys=True)  # to Python, `1` and `true` are equal


def breaks(new: ContractVersion, history: Sequence[ContractVersion], mode: Compatibility) -> Iterator[Break]:
    """Every way in which a version breaks those before it.

    Args:
        new: The version.
        history: Other versions of the contract; the earlier ones of its major are compared, newest first.
        mode: The contract's mode.
    """
    before = sorted(
        (old for old in history if old.major == new.major and old.minor < new.minor),
        key=lambda old: old.minor,
        reverse=True,
    )
    for old in before if mode.endswith("_TRANSITIVE") else before[:1]:
        for direction in DIRECTIONS[mode]:
            verdict = _verdict(direction, old, new)
            if verdict.answer != "compatible":
                causes = explain(old, new, direction, verdict)
                passes = _verdict(_OTHER[direction], old, new).answer == "compatible"
                yield Break(old, new, direction, verdict, causes, passes)


def explain(
    old: ContractVersion, new: ContractVersion, direction: Direction, verdict: Verdict
) -> tuple[Difference, ...]:
    """The differences that may cause a break, nearest to the verdict's place first."""
    try:
        old.compile()
        new.compile()
    except SchemaUnusableError:
        return ()  # the verdict says why
    found = version_differences(old, new)
    backward = direction == "BACKWARD"
    asserted = (new if backward else old).assert_formats
    able = [
        each
        for each in found
        if (each.kind.narrows if backward else each.kind.widens)
        and (asserted or not each.name.startswith("FORMAT"))
    ]
    place = (verdict.new_path or "").split("/")
    return tuple(
        sorted(
            able, key=lambda each: -_shared(place, (each.new_path if backward else each.old_path).split("/"))
        )
    )


def _verdict(direction: Direction, old: ContractVersion, new: ContractVersion) -> Verdict:
    return judge(old, new) if direction == "BACKWARD" else judge(new, old)


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _without_formats(documents: Documents) -> Documents:
    schema, references = copy.deepcopy(dict(documents[0])), copy.deepcopy(dict(documents[1]))
    for document in (schema, *references.values()):
        for _, node in subschemas(document):
            if isinstance(node, dict):
                node.pop("format", None)
    return schema, references
