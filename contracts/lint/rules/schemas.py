"""Rules about the schemas of a contract: dialect, references, hashes and compilation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from contracts.contract import ContractVersion
from contracts.documents.document import Document
from contracts.documents.folders import names_in
from contracts.documents.loaded import LoadedContract, LoadedVersion
from contracts.documents.shapes import VersionShape
from contracts.errors import DocumentError, SchemaUnusableError
from contracts.finding import Finding, Place, Rule
from contracts.paths import pointer
from contracts.patterns.spelling import weight
from contracts.schema.cost import is_bounded
from contracts.schema.dialect import dialect_of, schema_fault
from contracts.schema.references import broken_references
from contracts.schema.walk import patterns_of

DIALECT: Final = Rule(
    "dialect-declared",
    "the same keywords mean different things in different drafts of JSON Schema",
    "set `$schema` to `https://json-schema.org/draft/2020-12/schema` or to that of draft-07",
    "MINIMAL",
)
REFERENCE: Final = Rule(
    "reference-resolves",
    "references are never fetched, so a contract must contain all its schemas",
    "correct the `$ref`, or list the schema with that `$id` under `references` of the version",
    "MINIMAL",
)
COMPILES: Final = Rule(
    "schema-compiles",
    "a schema that does not compile cannot validate anything",
    "correct the schema, as the meta-schema of its dialect says",
    "MINIMAL",
)
HASH_PRESENT: Final = Rule(
    "hash-present",
    "a recorded hash protects a published schema against changes",
    "run `govbus contracts lint --write-hashes`",
    "MINIMAL",
)
LISTED: Final = Rule(
    "file-listed",
    "a schema that no version lists is never checked",
    "list it under `versions`, or under `references` of a version, or remove it",
    "BASIC",
)
BOUNDED: Final = Rule(
    "evaluation-bounded",
    "references that multiply each other can make validators hang",
    "use each definition once for a value, and do not repeat the same checks in several branches",
    "MINIMAL",
)
PATTERNS: Final = Rule(
    "patterns-bounded",
    "counted repetitions of large classes take every process that checks the event seconds, and gigabytes",
    r"count by `minLength` and `maxLength` instead: `^[\p{L} ]*$` with `maxLength: 200`",
    "MINIMAL",
)
RULES: Final = (DIALECT, REFERENCE, COMPILES, BOUNDED, PATTERNS, HASH_PRESENT, LISTED)
MOST_WRITTEN_OUT: Final = 50_000
"""Of all patterns of a version, as `contracts.patterns.spelling.weight` counts: some 60 MB and 0.3 s."""


def check_schemas(entry: LoadedContract, root: Path) -> Iterator[Finding]:
    """Findings about the schemas of one contract.

    Args:
        entry: The contract.
        root: The catalogue's folder, to find files that no version lists.
    """
    for row in entry.versions:
        yield from _hashes(entry, row)
        yield from check_schema(row)
    listed = {reference.file for row in entry.versions for reference in row.shape.references}
    for row in entry.versions:
        listed |= {each.file for each in (row.shape, row.shape.upcast, row.shape.downcast) if each}
    try:
        found = names_in(root, entry.folder)
    except DocumentError as error:
        yield error.finding
        return
    for name in found:
        if name.endswith(".json") and name not in listed:
            yield LISTED.at(Place(f"{entry.folder}/{name}"), "no version lists this file")


def _hashes(entry: LoadedContract, row: LoadedVersion) -> Iterator[Finding]:
    if row.shape.sha256 is None:
        place = entry.document.place("versions", row.row, "file")
        yield HASH_PRESENT.at(place, f"version {row.shape.number} has no `sha256`")
    for index, reference in enumerate(row.shape.references):
        if reference.sha256 is None:
            place = entry.document.place("versions", row.row, "references", index, "file")
            yield HASH_PRESENT.at(place, f"`{reference.file}` has no `sha256`")


def check_schema(row: LoadedVersion, *, compiled: bool = True) -> Iterator[Finding]:
    """Findings that make the schema of a version, or one it refers to, unusable."""
    unknown = [document for document in row.documents if not _has_dialect(document)]
    for document in unknown:
        yield DIALECT.at(document.place("$schema"), "`$schema` does not name a supported dialect")
    if unknown:
        return
    faults = [*_malformed(row)] or [*_references(row)] or [*_bounded(row), *_patterns(row)]
    yield from faults
    if faults or not compiled:
        return
    try:
        row.version.compile()
    except SchemaUnusableError as error:
        yield COMPILES.at(row.document.place(), str(error))


def check_draft(version: ContractVersion, file: str) -> Iterator[Finding]:
    """Findings that make a schema unusable that is not in a catalogue yet."""
    document = Document(file, b"", version.schema, {})
    shape = VersionShape(number=version.number, file="v1.0.json")
    yield from check_schema(LoadedVersion(version, 0, shape, document, ()))


def _malformed(row: LoadedVersion) -> Iterator[Finding]:
    for document in row.documents:
        if fault := schema_fault(document.value):
            steps, what = fault
            yield COMPILES.at(document.place(*steps), what)


def _references(row: LoadedVersion) -> Iterator[Finding]:
    for document in row.documents:
        for steps, target, fault in broken_references(row.resolver, row.schemas[document.file]):
            yield REFERENCE.at(document.place(*steps), f"`{target[:200]}` {fault}")


def _bounded(row: LoadedVersion) -> Iterator[Finding]:
    for document in row.documents:
        nodes = [node for _, node in row.schemas[document.file]]
        refers = any("$ref" in node or "$dynamicRef" in node for node in nodes)
        if refers and not is_bounded(map(row.resolver.at, nodes)):
            yield BOUNDED.at(document.place(), "checking one value can take too many steps")


def _patterns(row: LoadedVersion) -> Iterator[Finding]:
    placed = [
        (weight(pattern), pattern, document, steps)
        for document in row.documents
        for inside in row.schemas[document.file]
        for steps, pattern in patterns_of(*inside)
    ]
    if sum({pattern: size for size, pattern, _, _ in placed}.values()) > MOST_WRITTEN_OUT:
        size, _, document, steps = max(placed, key=lambda each: each[0])
        what = f"is the largest of patterns that compile to too much together; {size:,} parts of it"
        yield PATTERNS.at(document.place(*steps), f"`{pointer(steps)[:300]}` {what}")


def _has_dialect(document: Document) -> bool:
    try:
        dialect_of(document.value)
    except SchemaUnusableError:
        return False
    return True
