"""Rules about examples: valid ones pass, invalid ones fail, and two validators agree."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.contract import ContractVersion
from contracts.documents.document import Document, read_json
from contracts.documents.folders import names_in
from contracts.documents.loaded import LoadedContract, LoadedVersion
from contracts.documents.rules import TOO_LARGE as TOO_MANY
from contracts.errors import DocumentError, PartitionKeyError, SchemaUnusableError
from contracts.finding import Finding, Place, Rule
from contracts.lint.rules.schemas import BOUNDED
from contracts.schema.cost import is_bounded_for
from contracts.schema.event_json import AmbiguousJsonError, read_event_json
from contracts.schema.reference_validator import Obstacle, ReferenceValidator, reference_validator
from contracts.schema.references import Subschema

PRESENT: Final = Rule(
    "example-present",
    "examples show developers what an event looks like, and prove that the schema refuses bad ones",
    "add one event each to `examples/v<major>/valid/` and `examples/v<major>/invalid/`",
    "BASIC",
)
PASSES: Final = Rule(
    "example-passes",
    "developers copy examples, so each valid example must follow the contract",
    "correct the example or the schema",
    "BASIC",
)
FAILS: Final = Rule(
    "example-fails",
    "an invalid example that passes shows that the schema is too loose",
    "tighten the schema, or move the example to `valid/`",
    "BASIC",
)
KEY: Final = Rule(
    "example-key",
    "every event needs a partition key",
    "correct the example, or `key.path`",
    "BASIC",
)
AGREE: Final = Rule(
    "validators-agree",
    "agencies use different validators, so these must agree on every event",
    "rewrite the schema; patterns and formats differ most often",
    "BASIC",
)
MAJOR: Final = Rule(
    "example-version",
    "examples belong to a major version of the contract",
    "rename the folder to `v<major>` of an existing version",
    "BASIC",
)
MOST: Final = 1_000
"""Examples of one kind and version that are checked."""
RULES: Final = (PRESENT, PASSES, FAILS, KEY, AGREE, MAJOR)


@dataclass(slots=True)
class _Validators:
    """What checks an example besides the contract.

    Attributes:
        root: The schema whose checks are counted; None when no reference can multiply them.
        second: The second validator; None once it took too long.
    """

    root: Subschema | None
    second: ReferenceValidator | None


def check_examples(entry: LoadedContract, root: Path) -> Iterator[Finding]:
    """Findings about one contract's examples, checked against the latest minor version of their major."""
    folder = f"{entry.folder}/examples"
    rows = sorted(entry.versions, key=lambda row: (row.version.major, row.version.minor))
    majors = {f"v{row.version.major}": row for row in rows}
    try:
        names = names_in(root, folder)
    except DocumentError as error:
        yield error.finding
        return
    for name in names:
        if name not in majors:
            yield MAJOR.at(Place(f"{folder}/{name}"), "the contract has no such version")
    for row in majors.values():
        try:
            validators = _validators(row)
        except SchemaUnusableError:
            continue  # `schema-compiles` or `dialect-declared` reports it
        for kind in ("valid", "invalid"):
            yield from _folder(entry, root, row.version, validators, kind)


def _validators(row: LoadedVersion) -> _Validators:
    version = row.version
    version.compile()
    placed = [each for inside in row.schemas.values() for each in inside]
    second = reference_validator(*version.writer_documents, assert_formats=version.assert_formats)
    repeats = any("$ref" in node or "$dynamicRef" in node for _, node in placed)
    return _Validators(row.resolver.root if repeats else None, second)


def _folder(
    entry: LoadedContract, root: Path, version: ContractVersion, validators: _Validators, kind: str
) -> Iterator[Finding]:
    folder = f"{entry.folder}/examples/v{version.major}/{kind}"
    try:
        names = [name for name in names_in(root, folder) if name.endswith(".json")]
    except DocumentError as error:
        yield error.finding
        return
    if len(names) > MOST:
        what = f"more than {MOST:,} examples, of which only these are checked"
        yield TOO_MANY.at(Place(folder), what)
    if not names:
        place = entry.document.place("versions")
        yield PRESENT.at(place, f"no example in `examples/v{version.major}/{kind}/`")
    for name in names[:MOST]:
        try:
            document = read_json(root, f"{folder}/{name}")
        except DocumentError as error:
            yield error.finding
            continue
        if validators.root and not is_bounded_for(validators.root, document.value):
            yield BOUNDED.at(document.place(), "checking this event takes too many steps")
            continue
        yield from _example(version, document, kind)
        if validators.second is not None:
            yield from _agreement(version, document, validators)


def _example(version: ContractVersion, document: Document, kind: str) -> Iterator[Finding]:
    if kind == "invalid":
        if version.is_valid(document.value):
            yield FAILS.at(document.place(), f"version {version.number} accepts it")
        return
    violations = version.violations(document.value)
    for violation in violations:
        yield PASSES.at(document.place(), f"version {version.number} refuses it: {violation.message}")
    yield from _on_the_wire(document)
    if len(document.content) > version.contract.max_bytes:
        yield PASSES.at(document.place(), f"larger than the contract's {version.contract.max_bytes:,} bytes")
    if not violations:
        try:
            version.contract.key_of(document.value)
        except PartitionKeyError as error:
            yield KEY.at(document.place(), str(error))


def _on_the_wire(document: Document) -> Iterator[Finding]:
    try:
        read_event_json(document.content.removeprefix(BOM_UTF8))
    except AmbiguousJsonError as error:
        yield PASSES.at(document.place(*error.steps), f"no event can be so: {error.fault}")
    except ValueError:
        what = "no event can be so: Expected JSON of RFC 7493, got a number beyond a double, or half a letter"
        yield PASSES.at(document.place(), what)


def _agreement(version: ContractVersion, document: Document, validators: _Validators) -> Iterator[Finding]:
    second = validators.second.judged(document.value) if validators.second else None
    if isinstance(second, Obstacle):
        if second.is_slow:  # `pattern-linear` and `evaluation-bounded` report what is
            validators.second = None
        else:
            yield AGREE.at(document.place(), f"version {version.number}: {second.told('the schema')}")
    elif second != version.is_valid(document.value):
        which = ("jsonschema", "jsonschema-rs") if second else ("jsonschema-rs", "jsonschema")
        yield AGREE.at(
            document.place(), f"version {version.number}: {which[0]} accepts it, {which[1]} refuses it"
        )
