"""Rules about personal data: each field is classified, and subjects identify nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from contracts.documents.loaded import LoadedContract
from contracts.finding import Finding, Rule
from contracts.lint.schema_parts import SchemaView
from contracts.paths import EVERY, Step, parse_path, render_path
from contracts.schema.fields import leaves

LEAF: Final = Rule(
    "leaf-classified",
    "fields without a classification are not protected",
    "list the field in `personal_fields`; set `other_fields` to `internal` or `public` for the rest",
)
OTHER: Final = Rule(
    "other-fields-agree",
    "an event can be `public` only when all its fields are",
    "set `other_fields` to `public`, or classify the event as `internal`",
    "BASIC",
)
IDENTIFIER: Final = Rule(
    "identifier-classified",
    "a field of this name usually identifies a person",
    "add it to `personal_fields`; if it does not identify a person, rename it",
)
SUBJECT: Final = Rule(
    "subject-not-personal",
    "subjects appear in topic names, metrics and logs, so they must not identify anybody",
    "name the event after what happens, without numbers of people or cases",
    "BASIC",
)
RULES: Final = (LEAF, OTHER, IDENTIFIER, SUBJECT)

_LONG_NUMBER = re.compile(r"[0-9]{5,}")
_IDENTIFIERS: Final = frozenset(
    {
        *("birth_date", "date_of_birth", "family_name", "first_name", "full_name", "given_name", "last_name"),
        *("maiden_name", "middle_name", "surname", "mobile_phone", "iban", "id_card_number", "ssn"),
        *("citizen_id", "citizen_number", "national_id", "national_number", "patient_id", "patient_number"),
        *("person_id", "personal_code", "personal_id", "personal_number", "passport_number", "tax_id"),
        *("driving_licence_number", "insurance_number", "social_security_number", "tax_number"),
        "taxpayer_number",
    }
)
_DEEPEST: Final = 8
_MOST_LEAVES: Final = 2_000


def check_privacy(entry: LoadedContract, views: tuple[SchemaView, ...]) -> Iterator[Finding]:
    """Findings about personal data in one contract."""
    shape, document = entry.shape, entry.document
    if found := _LONG_NUMBER.search(shape.subject):
        what = f"`{shape.subject}` has a number of {len(found[0])} digits"
        yield SUBJECT.at(document.place("subject"), what)
    if shape.other_fields == "internal" and shape.classification == "public":
        yield OTHER.at(document.place("other_fields"), "`internal`, but the event is `public`")
    personal = [parse_path(path) for path in shape.personal_fields]
    stated = shape.other_fields or (shape.classification in ("public", "internal") and not personal)
    for view in views:
        if view.document is view.row.document:
            open_leaves = [
                steps
                for steps in leaves(view.row.resolver.root, most=_MOST_LEAVES, deepest=_DEEPEST)
                if not any(steps[: len(path)] == path for path in personal)
            ]
            if not stated and open_leaves:
                yield _unclassified(entry, view, open_leaves)
            yield from _identifiers(entry, view, open_leaves)


def _unclassified(entry: LoadedContract, view: SchemaView, fields: list[tuple[Step, ...]]) -> Finding:
    shown = ", ".join(f"`{render_path(steps)}`" for steps in fields[:3])
    more = f" and {len(fields) - 3} more" if len(fields) > 3 else ""
    number = view.row.shape.number
    place = entry.document.place("personal_fields")
    return LEAF.at(place, f"no classification for {shown}{more} of version {number}", about=number)


def _identifiers(
    entry: LoadedContract, view: SchemaView, fields: list[tuple[Step, ...]]
) -> Iterator[Finding]:
    for steps in fields:
        name = next((step for step in reversed(steps) if isinstance(step, str) and step != EVERY), "")
        if _plain(name) in _IDENTIFIERS:
            place, number = entry.document.place("personal_fields"), view.row.shape.number
            what = f"`{render_path(steps)}` of version {number} is not in `personal_fields`"
            yield IDENTIFIER.at(place, what)


def _plain(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-", "_", name).lower()
