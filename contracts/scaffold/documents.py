"""Creates the documents of new agencies, events, services and subscriptions, by path. Pure.

What begins here is whole, and lint accepts it. In an event whose schema came from elsewhere, facts that a
person must add are marked `fill in`, and lint reports them until they are there.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any, Final

from contracts import names
from contracts.contract import ContractVersion
from contracts.documents.document import MAX_JSON_BYTES
from contracts.documents.formatting import format_json
from contracts.documents.rules import TOO_LARGE
from contracts.errors import CatalogError, ContractError
from contracts.finding import Place
from contracts.imports.sources import ImportedSchema
from contracts.lint.rules.schemas import check_draft
from contracts.paths import render_path
from contracts.schema.dialect import DRAFT_2020_12
from contracts.schema.fields import is_required, schemas_at, types_of
from contracts.schema.generated_data import instances

_KEYS: Final = ("reference", "id", "key", "number")


def starter_schema() -> ImportedSchema:
    """The schema of an event created without a source: its key, an office, a day and a note."""
    properties = {
        "reference": {
            "type": "string",
            "description": "Opaque reference of the case. Identifies nobody.",
            "minLength": 8,
            "maxLength": 64,
            "pattern": "^[A-Za-z0-9-]+$",
            "examples": ["CASE-000001"],
        },
        "office": {
            "type": "string",
            "description": "The office that decided.",
            "minLength": 1,
            "maxLength": 100,
            "examples": ["North"],
        },
        "decided_on": {
            "type": "string",
            "format": "date",
            "description": "Day of the decision.",
            "examples": ["2026-03-02"],
        },
    }
    schema = {
        "$schema": DRAFT_2020_12,
        "type": "object",
        "properties": properties,
        "required": ["reference", "decided_on"],
        "additionalProperties": False,
    }
    sample = {"reference": "CASE-000001", "office": "North", "decided_on": "2026-03-02"}
    return ImportedSchema(schema, (sample,))


def agency_documents(name: str) -> dict[str, str]:
    """The document of a new agency.

    Raises:
        ContractError: The name is not allowed.
    """
    require_agency(name)
    return {f"agencies/{name}/agency.yaml": _AGENCY.format(name=name, title=title_of(name))}


def require_agency(name: str) -> None:
    """Require a name that an agency may have.

    Raises:
        ContractError: It may not.
    """
    if not names.is_name(name) or names.is_reserved_agency(name):
        raise ContractError("Expected a name of lower-case words joined by `-`, such as `land-registry`")


_AGENCY: Final = """\
# An agency: it publishes events of its own, and reads those that a subscription grants it.
name: {name} # also its folder, and its user in Kafka
title: {title}
level: national # or regional, local
contact: desk@{name}.example # an e-mail address, a telephone number or a web address
"""

_CONTRACT: Final = """\
# The contract of an event. `govbus contracts show {subject}` prints it with its fields.
subject: {subject}
title: {title}
description: {title}. # what has happened, and whom it affects
owner: {owner} # the office that answers for it
contact: desk@{agency}.example # how to reach that office
{classes}retention: P30D # how long its topic keeps events
key:
  path: {key} # events with the same key stay in order
versions:
  - number: '1.0'
    file: v1.0.json
{hash}"""

_OPEN: Final = """\
# fill in: `personal` is the safe default. List the personal fields in `personal_fields`, the law in
# `legal_basis`, the class of all other fields in `other_fields`; or use `sensitive`, `internal` or `public`.
classification: personal
"""
_INTERNAL: Final = """\
# `internal`: no field says anything about a person. When one does, write
#   classification: personal
#   personal_fields: {{$.holder: name}} # path and category
#   other_fields: internal
#   legal_basis: Name of the act, section 1 # the law that allows to share it
classification: internal
"""
_HASHED: Final = """\
    # With its hash a schema is published, and never changes. While you work on it, remove this line;
    # `govbus contracts lint --write-hashes` writes it when you are done.
    sha256: {}
"""


@dataclass(frozen=True, slots=True)
class EventText:
    """What the documents of a new event say besides its schema.

    Attributes:
        title: The title; that of its name if empty.
        classes: The lines of `contract.yaml` that classify its fields.
        is_whole: Whether nothing is left to fill in, so that the schema gets its hash.
    """

    title: str = ""
    classes: str = _INTERNAL.format()
    is_whole: bool = True


DRAFT: Final = EventText(classes=_OPEN, is_whole=False)
"""An event whose schema came from elsewhere: a person must classify its fields."""


def event_documents(subject: str, draft: ImportedSchema, text: EventText = EventText()) -> dict[str, str]:
    """The documents of a new event: contract, schema, one valid and one invalid example.

    Raises:
        ContractError: The subject is not allowed, or the schema does not describe an object.
    """
    if not names.is_subject(subject) or subject.partition(".")[2] in names.RESERVED_EVENTS:
        raise ContractError("Expected `<agency>.<event>` in lower-case words joined by `-`")
    agency, _, event = subject.partition(".")
    require_agency(agency)
    folder = f"agencies/{agency}/{event}"
    title = text.title or title_of(event)
    body = {word: value for word, value in draft.schema.items() if word not in ("$schema", "$id", "title")}
    schema = {
        "$schema": draft.schema["$schema"],
        "$id": names.data_schema(subject, "1.0"),
        "title": draft.schema.get("title", title),
        **body,
    }
    version = ContractVersion(1, 0, schema, "", content_model="tolerant")
    if faults := list(check_draft(version, draft.file)):
        raise CatalogError(faults)
    written = _json(schema, is_schema=True)
    if (size := len(written.encode())) > MAX_JSON_BYTES:
        what = f"a schema of {size:,} bytes - take a part of the document, such as `FILE#/definitions/NAME`"
        raise CatalogError([TOO_LARGE.at(Place(draft.file), what)])
    valid = _valid(version, draft)
    name, broken = _broken(version, valid)
    contract = _CONTRACT.format(
        subject=subject,
        title=title,
        agency=agency,
        owner=office_of(agency),
        classes=text.classes,
        key=_quoted(render_path((_key_of(version),))),
        hash=_HASHED.format(sha256(written.encode()).hexdigest()) if text.is_whole else "",
    )
    return {
        f"{folder}/contract.yaml": contract,
        f"{folder}/v1.0.json": written,
        f"{folder}/examples/v1/valid/example.json": _json(valid),
        f"{folder}/examples/v1/invalid/{name}.json": _json(broken),
    }


_SUBSCRIPTION: Final = """\
# {title} reads `{subject}`, once the office that owns the event has approved it.
subject: {subject}
version: {major} # the major version
purpose: {purpose} # what the data is used for; programs say the same word
{legal_basis}# Only what is needed. `$` is everything.
fields: [{fields}]
approved_by: {owner}
approved_on: {today:%Y-%m-%d}
expires: {expires:%Y-%m-%d}
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new subscription reads.

    Attributes:
        subject: The event.
        major: Its major version.
        owner: The office that approves.
        fields: The paths of the fields that are needed.
        is_personal: Whether the event has personal fields, so that reading it needs a law.
    """

    subject: str
    major: int
    owner: str
    fields: tuple[str, ...]
    is_personal: bool

    @classmethod
    def of(cls, version: ContractVersion) -> Wanted:
        """All fields of a version."""
        fields = tuple(render_path((name,)) for name in version.root.schema.get("properties", {}))
        contract = version.contract
        is_personal = bool(contract.personal_fields)
        return cls(contract.subject, version.major, contract.owner, fields or ("$",), is_personal)


def subscription_documents(
    agency: str, purpose: str, wanted: Wanted, today: date, word: str = ""
) -> dict[str, str]:
    """The document of a new subscription, approved today by the office that owns the event, for two years.

    Args:
        agency: The agency that reads.
        purpose: What the data is used for, such as `open-health-record`.
        wanted: What it reads.
        today: The day.
        word: Distinguishes its file from another one of the agency for this event.

    Raises:
        ContractError: The purpose is no name.
    """
    if not names.is_name(purpose):
        raise ContractError("Expected a purpose of lower-case words joined by `-`, such as `check-residence`")
    basis = "legal_basis: Name of the act, section 1 # the law that allows to read it\n"
    text = _SUBSCRIPTION.format(
        title=title_of(agency),
        subject=wanted.subject,
        major=wanted.major,
        purpose=purpose,
        legal_basis=basis if wanted.is_personal else "",
        fields=", ".join(_quoted(field) for field in wanted.fields),
        owner=json.dumps(wanted.owner, ensure_ascii=False),
        today=today,
        expires=today + timedelta(days=730),
    )
    name = f"{wanted.subject}.{word}" if word else wanted.subject
    return {f"agencies/{agency}/subscriptions/{name}.yaml": text}


_SERVICE: Final = """\
# A service that people ask for, as events of several agencies. `govbus transactions` shows each case of it:
# how long it took, and what it waits for.
name: {name}
title: {title}
description: {title}. # what people get, and what they need not do twice
category: {category} # what it is: a code of the list in `catalog.yaml`, or of the UN's
owner: {owner} # the agency that answers for the whole
start: {start}
milestones:
  - event: {end}
    after: {start}
    deadline: P7D
ends: [{end}]
deadline: P14D # for the whole
channels: [web, counter] # of counter, kiosk, library, mail, mobile, phone, post-office, web
"""


def service_documents(name: str, start: str, end: str, category: str) -> dict[str, str]:
    """The document of a new service of two events.

    Raises:
        ContractError: The name is not allowed, or both events are the same.
    """
    if not names.is_name(name):
        raise ContractError("Expected a name of lower-case words joined by `-`, such as `moving-house`")
    if start == end:
        raise ContractError("Expected another event at the end than at the start - a service is a way")
    text = _SERVICE.format(
        name=name,
        title=title_of(name),
        category=json.dumps(category, ensure_ascii=False),
        owner=start.partition(".")[0],
        start=start,
        end=end,
    )
    return {f"services/{name}.yaml": text}


def _valid(version: ContractVersion, draft: ImportedSchema) -> dict[str, Any]:
    """The first sample; without one, minimal valid data with examples from the schema."""
    if draft.samples:
        return dict(draft.samples[0])
    found = next(instances(version.schema, {}, version.is_valid, seed=1), None)
    if not isinstance(found, dict):
        raise ContractError("Expected a schema of an object, but no valid object could be generated")
    for name, node in version.schema.get("properties", {}).items():
        examples = node.get("examples") if isinstance(node, dict) else None
        if isinstance(examples, list) and examples and version.is_valid({**found, name: examples[0]}):
            found[name] = examples[0]
    return found


def _json(value: Any, *, is_schema: bool = False) -> str:
    return format_json(json.dumps(value, ensure_ascii=False), is_schema=is_schema)


def _quoted(path: str) -> str:
    return path if path.replace(".", "").replace("$", "").isidentifier() else json.dumps(path)


def title_of(name: str) -> str:
    """A name as a title, such as `Land registry`."""
    return name.replace("-", " ").capitalize()


def office_of(agency: str) -> str:
    """What the office of a new agency is called."""
    return f"{title_of(agency)} Office"


def _key_of(version: ContractVersion) -> str:
    """The required property that looks most like a key; a name to add when there is none."""
    root = version.root
    known = dict.fromkeys(name for here in schemas_at(root, ()) for name in here.schema.get("properties", {}))
    fit = [
        name
        for name in known
        if is_required(root, (name,)) and types_of(schemas_at(root, (name,))) in ({"string"}, {"integer"})
    ]
    return min(
        fit, key=lambda name: (name not in _KEYS, not name.endswith(_KEYS), fit.index(name)), default=_KEYS[0]
    )


def _broken(version: ContractVersion, valid: dict[str, Any]) -> tuple[str, Any]:
    for name in valid:
        without = deepcopy(valid)
        del without[name]
        if not version.is_valid(without):
            return "incomplete", without
    return "not-an-object", []
