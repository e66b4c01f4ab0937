"""The documents by which a version is made from an older one, and an older one from it."""

from __future__ import annotations

from pathlib import Path

from contracts import names
from contracts.documents import loading_rules as rules
from contracts.documents.document import Document, read_json
from contracts.documents.shapes import ContractShape, DowncastShape, UpcastShape
from contracts.errors import DocumentError
from contracts.finding import Finding
from contracts.versions.conversion import Conversion, faults


def read_conversions(
    root: Path, folder: str, document: Document, shape: ContractShape, index: int
) -> tuple[dict[str, Conversion], list[Finding]]:
    """Read what one row of `versions` declares as `upcast` and `downcast`.

    Args:
        root: The catalogue's folder.
        folder: The contract's, relative to it.
        document: The `contract.yaml`.
        shape: What stands in it.
        index: Which row of `versions`.
    """
    row = shape.versions[index]
    read: dict[str, Conversion] = {}
    findings: list[Finding] = []
    for kind, declared in (("upcast", row.upcast), ("downcast", row.downcast)):
        if declared is None:
            continue
        older = declared.source if isinstance(declared, UpcastShape) else declared.target
        if not any(other.number == older and _is_older(older, row.number) for other in shape.versions):
            place = document.place("versions", index, kind)
            findings.append(rules.CONVERSION_ENDS.at(place, f"{older} is no version older than {row.number}"))
            continue
        try:
            written = read_json(root, f"{folder}/{declared.file}")
        except DocumentError as error:
            findings.append(error.finding)
            continue
        findings += [
            rules.CONVERSION.at(written.place(*steps), what) for steps, what in faults(written.value)
        ]
        ends = (row.number, older) if isinstance(declared, DowncastShape) else (older, row.number)
        read[kind] = Conversion(shape.subject, *ends, declared.file, written.value)
    return read, findings


def _is_older(number: str, than: str) -> bool:
    return names.parts_of(number) < names.parts_of(than)
