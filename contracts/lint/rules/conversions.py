"""Rules about conversions between versions: they exist, and they work."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from contracts.documents.document import read_json
from contracts.documents.loaded import LoadedContract
from contracts.errors import DocumentError, SchemaUnusableError
from contracts.finding import Finding, Place, Rule
from contracts.lint.conversion_proof import ConversionProof, prove

COUNT: Final = 100
"""Generated events that lint sends through each conversion; `govbus contracts prove` sends more."""

PRESENT: Final = Rule(
    "upcast-present",
    "readers of the new major version also need events of publishers that still use the old one",
    "add an `upcast` from the latest minor version of the previous major version",
)
PROVED: Final = Rule(
    "conversion-proved",
    "an event that cannot be converted becomes a dead letter, or cannot be published",
    "correct the conversion; `govbus contracts prove` tests it with more data",
    "BASIC",
)
RULES: Final = (PRESENT, PROVED)


def check_conversions(entry: LoadedContract, root: Path, count: int = COUNT) -> Iterator[Finding]:
    """Findings about the conversions of one contract.

    Args:
        entry: The contract.
        root: The catalogue's folder.
        count: How many events to generate for each conversion.
    """
    yield from _present(entry)
    if not any(row.shape.upcast or row.shape.downcast for row in entry.versions):
        return
    try:
        for proof in prove(entry.contract, count, _examples(entry, root)):
            yield from _proved(entry, proof)
    except SchemaUnusableError:
        return  # `schema-compiles` reports it


def _present(entry: LoadedContract) -> Iterator[Finding]:
    if any(row.shape.upcast and row.version.upcast is None for row in entry.versions):
        return  # it is there, and what is wrong with it is reported
    contract = entry.contract
    majors = sorted({version.major for version in contract.versions})
    for older, newer in pairwise(majors):
        source, target = contract.version(older), contract.version(newer)
        if contract.upcasts(source, target) is None:
            row = next(row.row for row in entry.versions if row.version.major == newer)
            what = f"no conversion from version {source.number} to {target.number}"
            yield PRESENT.at(entry.document.place("versions", row), what)


def _proved(entry: LoadedContract, proof: ConversionProof) -> Iterator[Finding]:
    if proof.what is None:
        return
    row = next(row for row in entry.versions if row.version is proof.version)
    conversion = row.version.upcast if proof.kind == "upcast" else row.version.downcast
    if conversion is not None and conversion.read.faults:
        return  # `conversion-readable` reports them
    declared = row.shape.upcast if proof.kind == "upcast" else row.shape.downcast
    file = declared.file if declared else ""
    place = proof.place or Place(f"{entry.folder}/{file}")
    failed = f"{proof.failed:,} of {proof.tried:,} events fail, most often with: {proof.what}"
    yield PROVED.at(place, failed if proof.tried else f"`{file}` is not tested: {proof.what}", about=file)


def _examples(entry: LoadedContract, root: Path) -> Iterator[Any]:
    for path in sorted((root / entry.folder / "examples").glob("v*/valid/*.json")):
        try:
            yield read_json(root, path.relative_to(root).as_posix()).value
        except DocumentError:
            continue  # `check_examples` reports it
