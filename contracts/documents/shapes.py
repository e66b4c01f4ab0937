"""The fields of the YAML documents of a catalogue, with their types and defaults."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

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
from contracts.documents.durations import parse_duration
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


def _one_of(names: frozenset[str]) -> AfterValidator:
    def check(text: str) -> str:
        if text not in names:
            raise ValueError(f"expected one of {', '.join(sorted(names))}")
        return text

    return AfterValidator(check)


def _version(text: str) -> str:
    if not names.VERSION.fullmatch(text):
        raise ValueError("expected `major.minor` in quotes, such as `'1.0'`; major from 1")
    return text


Name = Annotated[str, AfterValidator(_name)]
Subject = Annotated[str, AfterValidator(_subject)]
Path = Annotated[str, AfterValidator(_path)]
PersonalCategory = Annotated[str, _one_of(PERSONAL_CATEGORIES)]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_printable)
]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_printable)]
Prose = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000), AfterValidator(_printable)
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, AfterValidator(_version)]


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


Length = Annotated[str, AfterValidator(_seconds)]


class ClusterShape(DocumentShape):
    """`cluster.yaml` at the catalogue's root."""

    replication_factor: Annotated[int, Field(ge=1, le=32)] | None = None
    min_insync_replicas: Annotated[int, Field(ge=1, le=32)] | None = None
    publish_bytes_per_second: Annotated[int, Field(ge=1)] | None = None
    read_bytes_per_second: Annotated[int, Field(ge=1)] | None = None
    spared_principals: list[Annotated[Line, StringConstraints(pattern=r"^[A-Za-z]+:.+$")]] | None = None

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
    """One row of `systems` in `agency.yaml`."""

    name: Name
    title: Line


class AgencyShape(DocumentShape):
    """`agency.yaml`."""

    name: Name
    title: Line
    description: Prose = ""
    level: Level
    contact: Line
    systems: list[SystemShape] = []


class ReferenceShape(DocumentShape):
    """One row of `references` of a version: a schema that others refer to by its `$id`."""

    file: Line
    sha256: Sha256 | None = None


class UpcastShape(DocumentShape):
    """`upcast` of a version: the JSON-e document that converts data of an older version to it."""

    source: Annotated[Version, Field(alias="from")]
    file: Line


class DowncastShape(DocumentShape):
    """`downcast` of a version: the JSON-e document that converts its data to an older version."""

    target: Annotated[Version, Field(alias="to")]
    file: Line


class VersionShape(DocumentShape):
    """One row of `versions` in `contract.yaml`."""

    number: Version
    file: Line
    sha256: Sha256 | None = None
    references: list[ReferenceShape] = []
    deprecated: bool = False
    sunset: Date | None = None
    upcast: UpcastShape | None = None
    downcast: DowncastShape | None = None


class KeyShape(DocumentShape):
    """`key` in `contract.yaml`."""

    kind: Literal["field"] = "field"
    path: Path


class ContractShape(DocumentShape):
    """`contract.yaml`. Lint requires some of the fields that are optional here, such as `owner`."""

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
    """One row of `milestones` in a service."""

    event: Subject
    after: Subject | None = None
    deadline: Length | None = None


class ServiceShape(DocumentShape):
    """`services/<service>.yaml`. Lint requires `deadline` and `channels`."""

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
    """`agencies/<consumer>/subscriptions/<subject>.yaml`. Lint requires the optional fields."""

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
