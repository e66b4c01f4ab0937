"""Rules about `contract.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from contracts.documents.loaded import LoadedContract
from contracts.documents.shapes import SENSITIVE_CATEGORIES
from contracts.finding import Finding, Rule
from contracts.paths import EVERY, parse_path
from contracts.schema.fields import is_required, schemas_at, types_of
from contracts.schema.references import Subschema

OWNER: Final = Rule(
    "owner-present",
    "every contract needs an office that is responsible for it",
    "name the office in `owner`",
    "BASIC",
)
CONTACT: Final = Rule(
    "contact-present",
    "readers of an event must be able to ask about it",
    "add an e-mail address, a telephone number or a web address in `contact`",
    "BASIC",
)
CLASSIFICATION: Final = Rule(
    "classification-agrees",
    "the classification decides how an event is protected, so it must match the personal fields",
    "list the personal fields in `personal_fields`, and classify the event as `personal` or `sensitive`",
    "BASIC",
)
LEGAL_BASIS: Final = Rule(
    "legal-basis-present",
    "personal data may be shared only where a law allows it",
    "name the act and section in `legal_basis`",
    "BASIC",
)
PERSONAL_FIELD: Final = Rule(
    "personal-field-exists",
    "a personal field with a wrong path is not protected",
    "correct the path; `[*]` matches every item of an array",
    "BASIC",
)
KEY_EXISTS: Final = Rule(
    "key-field-exists",
    "the partition key is read from the data, so a string or an integer must be there",
    "point `key.path` to a property of type `string` or `integer`",
    "MINIMAL",
)
KEY_REQUIRED: Final = Rule(
    "key-field-required",
    "events without a key cannot be kept in order",
    "add the field, and each object on its path, to `required`",
    "MINIMAL",
)
KEY_PERSONAL: Final = Rule(
    "key-not-personal",
    "keys are visible to everyone who runs the cluster, and outlive the data",
    "use an opaque reference of the case as the key",
    "BASIC",
)
RULES: Final = (
    OWNER,
    CONTACT,
    CLASSIFICATION,
    LEGAL_BASIS,
    PERSONAL_FIELD,
    KEY_EXISTS,
    KEY_REQUIRED,
    KEY_PERSONAL,
)
_REACHABLE = re.compile(r"\S+@\S+\.\S+|https?://\S+|\+?[0-9][0-9 ()/.-]{5,}")


def check_contract(entry: LoadedContract) -> Iterator[Finding]:
    """Findings about the `contract.yaml` of one contract."""
    shape, document = entry.shape, entry.document
    if not shape.owner:
        yield OWNER.at(document.place("owner"), "the contract has no `owner`")
    if not _REACHABLE.search(shape.contact):
        yield CONTACT.at(document.place("contact"), "the contract has no usable `contact`")
    yield from _classification(entry)
    for row in entry.versions:
        if row.is_usable:  # otherwise `schema-compiles` reports it
            yield from _personal_fields(entry, row.resolver.root, row.shape.number)
            yield from _key(entry, row.resolver.root, row.shape.number)
    yield from _key_personal(entry)


def _classification(entry: LoadedContract) -> Iterator[Finding]:
    shape, document = entry.shape, entry.document
    place = document.place("classification")
    protected = shape.classification in ("personal", "sensitive")
    risky = sorted(set(shape.personal_fields.values()) & SENSITIVE_CATEGORIES)
    if shape.personal_fields and not protected:
        yield CLASSIFICATION.at(place, f"`{shape.classification}`, but it has personal fields")
    elif protected and not shape.personal_fields:
        yield CLASSIFICATION.at(place, f"`{shape.classification}`, but it lists no personal fields")
    elif risky and shape.classification != "sensitive":
        yield CLASSIFICATION.at(
            place, f"`{shape.classification}`, but it has fields of category {', '.join(risky)}"
        )
    if protected and not shape.legal_basis:
        yield LEGAL_BASIS.at(
            document.place("legal_basis"), "the contract shares personal data without a legal basis"
        )


def _personal_fields(entry: LoadedContract, root: Subschema, number: str) -> Iterator[Finding]:
    for path in entry.shape.personal_fields:
        if not schemas_at(root, parse_path(path)):
            place = entry.document.place("personal_fields", path)
            yield PERSONAL_FIELD.at(place, f"`{path}` is not in the schema of version {number}")


def _key(entry: LoadedContract, root: Subschema, number: str) -> Iterator[Finding]:
    path = entry.shape.key.path
    steps = parse_path(path)
    place = entry.document.place("key", "path")
    schemas = schemas_at(root, steps)
    types = types_of(schemas)
    if not schemas or not all(isinstance(step, str) and step != EVERY for step in steps) or not steps:
        yield KEY_EXISTS.at(place, f"`{path}` is not a property in the schema of version {number}")
    elif not types or not types <= {"string", "integer"}:
        yield KEY_EXISTS.at(place, f"`{path}` may have another type in version {number}")
    elif not is_required(root, steps):
        yield KEY_REQUIRED.at(place, f"`{path}` may be absent in version {number}")


def _key_personal(entry: LoadedContract) -> Iterator[Finding]:
    key = parse_path(entry.shape.key.path)
    for path in entry.shape.personal_fields:
        steps = parse_path(path)
        if key[: len(steps)] == steps:
            place = entry.document.place("key", "path")
            yield KEY_PERSONAL.at(place, f"the key is part of the personal field `{path}`")
