"""The fields of the YAML documents of a catalogue, with their types and defaults."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from contracts import names
from contracts.contract import (
    DEFAULT_MAX_BYTES,
    HARD_MAX_BYTES,
    Classification,
    ClusterPolicy,
    Compatibility,
    ContentModel,
    Level,
)
from contracts.documents.document import Document
from contracts.documents.durations import DURATION, parse_duration
from contracts.finding import Finding, Rule
from contracts.paths import Step, parse_path

MOST_FAULTS: Final = 100
"""Faults of structure reported for one document."""

# Categories of personal data; one of these makes the whole event sensitive.
SENSITIVE_CATEGORIES: Final = frozenset(
    {
        "belief",
        "biometric",
        "criminal-record",
        "ethnicity",
        "genetic",
        "health",
        "sexuality",
        "union-membership",
    }
)
PERSONAL_CATEGORIES: Final = SENSITIVE_CATEGORIES | {
    "address",
    "birth",
    "contact",
    "education",
    "employment",
    "family",
    "finance",
    "gender",
    "identifier",
    "location",
    "name",
    "nationality",
    "property",
}

Channel = Literal["counter", "kiosk", "library", "mail", "mobile", "phone", "post-office", "web"]


def _name(text: str) -> str:
    if not names.is_name(text):
        raise ValueError(f"expected lower-case words joined by `-`, at most {names.NAME_LIMIT} characters")
    return text


def _printable(text: str) -> str:
    if not text.replace("\n", "").isprintable():
        raise ValueError("expected text without control characters")
    return text


def _subject(text: str) -> str:
    if not names.is_subject(text):
        raise ValueError("expected `<agency>.<event>` in lower-case words joined by `-`")
    return text


def _path(text: str) -> str:
    parse_path(text)
    return text


@dataclass(frozen=True, slots=True)
class _OneOf:
    """A rule about text: it is one of these."""

    names: frozenset[str]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": sorted(self.names)}

    def _checked(self, text: str) -> str:
        if text not in self.names:
            raise ValueError(f"expected one of {', '.join(sorted(self.names))}")
        return text


@dataclass(frozen=True, slots=True)
class _Form:
    """What a JSON Schema says of text whose rule is a function: the regular expression of that function."""

    pattern: str
    longest: int | None = None

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        longest = {} if self.longest is None else {"maxLength": self.longest}
        return {**handler(schema), "pattern": f"^(?:{_NAMED_GROUP.sub('(', self.pattern)})$", **longest}


_NAMED_GROUP: Final = re.compile(r"\(\?P<[a-z]+>")


def _version(text: str) -> str:
    if not names.VERSION.fullmatch(text):
        raise ValueError("expected `major.minor` in quotes, such as `'1.0'`; major from 1")
    return text


Name = Annotated[str, AfterValidator(_name), _Form(names.NAME.pattern, names.NAME_LIMIT)]
Subject = Annotated[str, AfterValidator(_subject), _Form(names.SUBJECT.pattern)]
Path = Annotated[str, AfterValidator(_path), _Form(r"\$.*")]
PersonalCategory = Annotated[str, _OneOf(PERSONAL_CATEGORIES)]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_printable)
]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_printable)]
Prose = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000), AfterValidator(_printable)
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, AfterValidator(_version), _Form(names.VERSION.pattern)]


def _date(text: str) -> str:
    date.fromisoformat(text)
    return text


Date = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_date)]


class DocumentShape(BaseModel):
    """A part of a document: frozen, strict, and without unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _seconds(text: str) -> str:
    parse_duration(text)
    return text


Length = Annotated[str, AfterValidator(_seconds), _Form(DURATION.pattern)]


_PRINCIPAL: Final = r"[A-Za-z]+:.+"
Principal = Annotated[Line, StringConstraints(pattern=rf"^{_PRINCIPAL}$"), _Form(_PRINCIPAL)]


class ClusterShape(DocumentShape):
    """`cluster.yaml` at the catalogue's root.

    Attributes:
        replication_factor: Brokers that hold each event.
        min_insync_replicas: Those that must hold an event before it counts as acknowledged.
        publish_bytes_per_second: What each agency may publish on each broker.
        read_bytes_per_second: What each agency may read from each broker.
        spared_principals: Principals whose access is left alone, such as `User:backup`.
    """

    replication_factor: Annotated[int, Field(ge=1, le=32)] | None = None
    min_insync_replicas: Annotated[int, Field(ge=1, le=32)] | None = None
    publish_bytes_per_second: Annotated[int, Field(ge=1)] | None = None
    read_bytes_per_second: Annotated[int, Field(ge=1)] | None = None
    spared_principals: list[Principal] | None = None

    def policy(self) -> ClusterPolicy:
        """What it says, as a value."""
        spared = None if self.spared_principals is None else tuple(self.spared_principals)
        return ClusterPolicy(**{**self.model_dump(), "spared_principals": spared})

    @field_validator("min_insync_replicas")
    @classmethod
    def _has_room(cls, value: int | None, info: ValidationInfo) -> int | None:
        copies = info.data.get("replication_factor")
        if value is None:
            return value
        if copies is None:
            raise ValueError("expected `replication_factor` too, which says of how many copies")
        if value > copies:
            raise ValueError(f"expected at most the {copies} copies of `replication_factor`")
        return value


class SystemShape(DocumentShape):
    """One row of `systems` in `agency.yaml`: a system that publishes.

    Attributes:
        name: Its name, in lower-case words joined by `-`.
        title: Its name for people.
    """

    name: Name
    title: Line


class AgencyShape(DocumentShape):
    """`agency.yaml`.

    Attributes:
        name: The folder's name, and the Kafka user's.
        title: Its name for people.
        description: What it does.
        level: The level of government.
        contact: How to reach its office.
        systems: Its systems that publish.
    """

    name: Name
    title: Line
    description: Prose = ""
    level: Level
    contact: Line
    systems: list[SystemShape] = []


class ReferenceShape(DocumentShape):
    """One row of `references` of a version: a schema that others refer to by its `$id`.

    Attributes:
        file: The schema, in the contract's folder.
        sha256: The SHA-256 of the file's bytes; `lint --write-hashes` adds it.
    """

    file: Line
    sha256: Sha256 | None = None


class UpcastShape(DocumentShape):
    """`upcast` of a version: the JSON-e document that converts data of an older version to it.

    Attributes:
        source: The older version.
        file: The document, in the contract's folder.
    """

    source: Annotated[Version, Field(alias="from")]
    file: Line


class DowncastShape(DocumentShape):
    """`downcast` of a version: the JSON-e document that converts its data to an older version.

    Attributes:
        target: The older version.
        file: The document, in the contract's folder.
    """

    target: Annotated[Version, Field(alias="to")]
    file: Line


class VersionShape(DocumentShape):
    """One row of `versions` in `contract.yaml`.

    Attributes:
        number: Major and minor number, in quotes.
        file: The JSON Schema, in the contract's folder.
        sha256: The SHA-256 of the file's bytes; `lint --write-hashes` adds it.
        references: Further schemas, reached by their `$id`.
        deprecated: Whether publishers should take a newer version.
        sunset: The last day, in UTC, on which it is published.
        upcast: How data of an older version becomes data of this one.
        downcast: How data of this version becomes data of an older one.
    """

    number: Version
    file: Line
    sha256: Sha256 | None = None
    references: list[ReferenceShape] = []
    deprecated: bool = False
    sunset: Date | None = None
    upcast: UpcastShape | None = None
    downcast: DowncastShape | None = None


class KeyShape(DocumentShape):
    """`key` in `contract.yaml`.

    Attributes:
        kind: How the key is made.
        path: Where in the data it is: opaque, required, never personal.
    """

    kind: Literal["field"] = "field"
    path: Path


class ContractShape(DocumentShape):
    """`contract.yaml`. Lint requires some of the fields that are optional here, such as `owner`.

    Attributes:
        subject: `<agency>.<event>`, as the folders are called.
        title: Its name for people.
        description: What has happened, for those who look for it.
        owner: The office that answers for it.
        contact: How to reach that office.
        classification: The class of the whole event.
        personal_fields: Path to category, such as `$.children[*].name: name`; covers all beneath.
        other_fields: The class of every field that is not personal.
        legal_basis: Act and section; needed where data is personal.
        retention: How long the topic keeps events: `P30D`, `PT12H`.
        compatibility: What a new version must be able to read, or be read by.
        key: The partition key.
        formats: Whether `date`, `date-time`, `email`, `uri` and `uuid` refuse.
        content_model: Whether publishers may send only what is declared, and readers ignore the rest.
        max_bytes: Largest event.
        partitions: Of its topic.
        versions: Its schemas.
    """

    subject: Subject
    title: Line
    description: Prose
    owner: Note = ""
    contact: Note = ""
    classification: Classification
    personal_fields: dict[Path, PersonalCategory] = {}
    other_fields: Literal["internal", "public"] | None = None
    legal_basis: Prose | None = None
    retention: Length
    compatibility: Compatibility = "BACKWARD_TRANSITIVE"
    key: KeyShape
    formats: Literal["assertion", "annotation"] = "assertion"
    content_model: ContentModel = "tolerant"
    max_bytes: Annotated[int, Field(ge=1, le=HARD_MAX_BYTES)] = DEFAULT_MAX_BYTES
    partitions: Annotated[int, Field(ge=1, le=1_000)] = 3
    versions: Annotated[list[VersionShape], Field(min_length=1)]


class MilestoneShape(DocumentShape):
    """One row of `milestones` in a service.

    Attributes:
        event: The event to wait for.
        after: The event before it; the first one by default.
        deadline: The time allowed between the two, such as `P14D`.
    """

    event: Subject
    after: Subject | None = None
    deadline: Length | None = None


class ServiceShape(DocumentShape):
    """`services/<service>.yaml`. Lint requires `deadline` and `channels`.

    Attributes:
        name: The file's name.
        title: Its name for people.
        description: What it does for whom.
        category: Which essential service it is, by a code of the list.
        owner: The agency that answers for the whole.
        start: The subject of its first event.
        milestones: The events to wait for.
        ends: The subjects that complete it; all must come.
        deadline: For the whole, such as `P14D`.
        channels: How people can ask for it.
    """

    name: Name
    title: Line
    description: Prose
    category: Line
    owner: Name
    start: Subject
    milestones: list[MilestoneShape] = []
    ends: Annotated[list[Subject], Field(min_length=1)]
    deadline: Length | None = None
    channels: list[Channel] = []


class SubscriptionShape(DocumentShape):
    """`agencies/<consumer>/subscriptions/<subject>.yaml`. Lint requires the optional fields.

    Attributes:
        subject: The event.
        version: Its major version.
        purpose: What the data is used for.
        name: Of the subscription, unique in the agency; the `purpose` by default.
        legal_basis: Act and section.
        fields: The paths it needs; `$` is everything.
        approved_by: The office of the agency that owns the event.
        approved_on: The day of the approval.
        expires: The last day.
    """

    subject: Subject
    version: Annotated[int, Field(ge=1, le=9_999)]
    purpose: Name
    name: Name | None = None
    legal_basis: Prose | None = None
    fields: list[Path] = []
    approved_by: Note = ""
    approved_on: Date | None = None
    expires: Date | None = None


def structure_faults(
    document: Document,
    error: ValidationError,
    rule: Rule,
    suggestion: Callable[[tuple[Step, ...]], str] = lambda _steps: "",
) -> list[Finding]:
    """Findings of a rule for a document that does not have its shape, at most `MOST_FAULTS`.

    Args:
        document: The document.
        error: The result of validating it.
        rule: The rule.
        suggestion: The end of the message about an unknown field, by its steps.
    """
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return [_structure_fault(document, detail, rule, suggestion) for detail in details[:MOST_FAULTS]]


def _structure_fault(
    document: Document, detail: ErrorDetails, rule: Rule, suggestion: Callable[[tuple[Step, ...]], str]
) -> Finding:
    steps = tuple(step for step in detail["loc"] if step != "[key]")
    name = ".".join(str(step) for step in steps) or "the document"
    match detail["type"]:
        case "missing":
            what = f"`{name}` is missing"
        case "extra_forbidden":
            what = f"`{name}` is not a known field{suggestion(steps)}"
        case "model_type":
            what = f"{name} is not a mapping of fields"
        case _:
            what = f"`{name}`: {detail['msg'].removeprefix('Value error, ')}"
    return rule.at(document.place(*steps), what)
