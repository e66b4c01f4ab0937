"""What a catalogue holds, as frozen values: agencies, contracts and their versions, services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Literal, TypeAlias
from uuid import UUID

from contracts import names
from contracts.errors import ConversionError, PartitionKeyError, UnknownVersionError
from contracts.paths import Step, parse_path
from contracts.schema.content_model import closed_and_opened
from contracts.schema.ids import schema_guid
from contracts.validation import CompiledSchema, Violation, compile_validator
from contracts.versions import routes
from contracts.versions.conversion import Conversion

Classification: TypeAlias = Literal["public", "internal", "personal", "sensitive"]
Compatibility: TypeAlias = Literal[
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"
]
ContentModel: TypeAlias = Literal["tolerant", "as-written"]
Documents: TypeAlias = tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]
Level: TypeAlias = Literal["national", "regional", "local"]

DEFAULT_MAX_BYTES = 262_144
HARD_MAX_BYTES = 1_048_576
SHOWN_VIOLATIONS = 3


@dataclass(frozen=True, slots=True)
class System:
    """One system of an agency, as it stands in an event's source."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency: who it is and whom to ask."""

    name: str
    title: str
    contact: str
    level: Level
    description: str = ""
    systems: tuple[System, ...] = ()


@dataclass(frozen=True)
class KeyRule:
    """How the partition key is made from the data: so far, from one field of it."""

    kind: Literal["field"]
    path: str

    def key_of(self, data: object) -> str:
        """The partition key of the data: the text, or whole number, at the rule's path.

        Raises:
            PartitionKeyError: There is nothing there, or something that cannot be a key.
        """
        value = data
        for step in self._steps:
            if not isinstance(value, Mapping) or step not in value:
                raise PartitionKeyError(f"Expected a partition key, got nothing - at `{self.path}`")
            value = value[step]
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise PartitionKeyError(f"Expected text or a whole number as partition key - at `{self.path}`")

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return parse_path(self.path)


@dataclass(frozen=True, eq=False)
class ContractVersion:
    """One `major.minor` version of a contract: a schema and what it needs to be read.

    Attributes:
        number: `major.minor`, such as `1.0`.
        schema: The JSON Schema document.
        sha256: The hash, in hexadecimal, of the schema's file.
        references: Further schemas by their `$id`, for `$ref` across files.
        assert_formats: Whether `format` refuses (see `contracts.schema.formats`) or only annotates.
        content_model: `tolerant` (closed for writers, open for readers) or `as-written` for both.
        deprecated: Whether publishers should move to a newer version.
        sunset: The last day, in UTC, on which it is published.
        upcast: Makes its data from that of an older version.
        downcast: Makes an older version's data from its own.
    """

    major: int
    minor: int
    schema: Mapping[str, Any]
    sha256: str
    references: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    assert_formats: bool = True
    content_model: ContentModel = "as-written"
    deprecated: bool = False
    sunset: date | None = None
    upcast: Conversion | None = None
    downcast: Conversion | None = None
    contract: Contract = field(init=False, repr=False)

    @property
    def number(self) -> str:
        """`major.minor`."""
        return f"{self.major}.{self.minor}"

    @cached_property
    def type(self) -> str:
        """The CloudEvents type and topic, shared by all minor versions: `<subject>.v<major>`."""
        return names.event_type(self.contract.subject, self.major)

    @cached_property
    def label(self) -> tuple[str, str]:
        """Type and number together, as receipts name a version."""
        return self.type, self.number

    @cached_property
    def dataschema(self) -> str:
        """The CloudEvents `dataschema` of exactly this version."""
        return names.data_schema(self.contract.subject, self.number)

    @cached_property
    def guid(self) -> UUID:
        """The GUID by which clients of Confluent's Schema Registry know the schema."""
        return schema_guid(self.schema, self.references)

    def is_retired(self, today: date) -> bool:
        """Whether its sunset is over, so that it is published no more."""
        return self.sunset is not None and today > self.sunset

    def is_valid(self, data: object) -> bool:
        """Whether the data may be published. The schema is compiled at the first call.

        Raises:
            SchemaUnusableError: The schema does not compile.
        """
        return self.writer.is_valid(data)

    def violations(self, data: object) -> tuple[Violation, ...]:
        """Every way in which the data may not be published; none when it may.

        At most `contracts.validation.MAX_VIOLATIONS` are given. None quotes a value or an undeclared name.

        Raises:
            SchemaUnusableError: The schema does not compile.
        """
        return self.writer.violations(data)

    def compile(self) -> None:
        """Compile the schema now rather than at the first event.

        Raises:
            SchemaUnusableError: The schema does not compile.
        """
        _ = self.writer

    @cached_property
    def writer_documents(self) -> Documents:
        """The schema that publishers are held to, and what it refers to."""
        return self._models[0]

    @cached_property
    def reader_documents(self) -> Documents:
        """The schema that delivered data is checked by, and what it refers to."""
        return self._models[1]

    @cached_property
    def writer(self) -> CompiledSchema:
        """What publishers are held to: only what is declared.

        Raises:
            SchemaUnusableError: The schema does not compile.
        """
        return self._compiled(self.writer_documents)

    @cached_property
    def reader(self) -> CompiledSchema:
        """What delivered data is checked by: what is not declared is left to its writer.

        Raises:
            SchemaUnusableError: The schema does not compile.
        """
        return self._compiled(self.reader_documents)

    @cached_property
    def _models(self) -> tuple[Documents, Documents]:
        written = self.schema, self.references
        self._compiled(written)  # a malformed schema has no model
        return closed_and_opened(*written) if self.content_model == "tolerant" else (written, written)

    def _compiled(self, documents: Documents) -> CompiledSchema:
        return compile_validator(*documents, assert_formats=self.assert_formats)


@dataclass(frozen=True, slots=True)
class Route:
    """The way from one version's data to another's; what comes out is checked against the target version.

    Attributes:
        source: The version whose data it takes.
        target: The version whose data it makes.
        steps: The conversions in order; none where the data may stay as it is.
    """

    source: ContractVersion
    target: ContractVersion
    steps: tuple[Conversion, ...]

    def read(self, data: object) -> Any:
        """The data in the target version, as its readers may have it.

        Raises:
            ConversionError: The target version cannot hold it. Names contract, versions and rule; no data.
        """
        made = self._converted(data)
        if self.steps and not self.target.reader.is_valid(made):
            raise self._error(self.target.reader.violations(made))
        return made

    def write(self, data: object) -> Any:
        """The data in the target version, as it may be published.

        Raises:
            ConversionError: The target version cannot hold it. Names contract, versions and rule; no data.
        """
        made = self._converted(data)
        if not self.target.is_valid(made):
            raise self._error(self.target.violations(made))
        return made

    def _converted(self, data: object) -> Any:
        for step in self.steps:
            data = step.apply(data)
        return data

    def _error(self, violations: tuple[Violation, ...]) -> ConversionError:
        shown = "; ".join(violation.message for violation in violations[:SHOWN_VIOLATIONS])
        what = f"what it makes breaks version {self.target.number}: {shown or 'it is not JSON'}"
        return self.steps[-1].error(what)


@dataclass(frozen=True, eq=False)
class Contract:
    """One event an agency publishes, and the promises around it.

    Attributes:
        subject: `<agency>.<event>`.
        owner: The office that answers for the contract.
        personal_fields: Path (`$.child.name`) to category (`name`) of every personal field.
        retention_days: How long the topic keeps events, in days.
        max_bytes: The largest encoded event accepted, in bytes.
        versions: Oldest first.
        other_fields: How the fields that are not personal are classified; None when nothing says so.
    """

    subject: str
    title: str
    description: str
    owner: str
    contact: str
    classification: Classification
    personal_fields: Mapping[str, str]
    legal_basis: str | None
    retention_days: float
    compatibility: Compatibility
    key: KeyRule
    versions: tuple[ContractVersion, ...]
    max_bytes: int = DEFAULT_MAX_BYTES
    partitions: int = 3
    other_fields: Literal["internal", "public"] | None = None

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.versions, key=lambda version: (version.major, version.minor)))
        object.__setattr__(self, "versions", ordered)
        for version in ordered:
            object.__setattr__(version, "contract", self)

    @property
    def content_model(self) -> ContentModel:
        """How undeclared properties are met, by writers and by readers; the same in every version."""
        return self.versions[-1].content_model

    @property
    def agency(self) -> str:
        """The name of the agency that publishes the event."""
        return self.subject.partition(".")[0]

    @property
    def event(self) -> str:
        """The name of the event within its agency."""
        return self.subject.partition(".")[2]

    def version(self, major: int | None = None, minor: int | None = None) -> ContractVersion:
        """The latest version that fits.

        Args:
            major: The major version, or None for the latest.
            minor: The minor version, or None for the latest of that major.

        Raises:
            UnknownVersionError: No version fits.
        """
        for version in reversed(self.versions):
            if major in (None, version.major) and minor in (None, version.minor):
                return version
        wanted = ".".join("any" if part is None else str(part) for part in (major, minor))
        raise UnknownVersionError(self.subject, wanted, [version.number for version in self.versions])

    def sunset(self, major: int) -> date | None:
        """The last day on which a major version is published: that of its latest minor version.

        Raises:
            UnknownVersionError: There is no such major version.
        """
        return self.version(major).sunset

    def elder_majors(self, major: int, today: date) -> tuple[int, ...]:
        """Older major versions whose events a reader of `major` gets too, upcast, oldest first.

        One counts as long as its topic may hold events: until `retention_days` after its sunset.

        Raises:
            UnknownVersionError: There is no such major version.
        """
        target = self.version(major)
        found = []
        for elder in sorted({version.major for version in self.versions if version.major < major}):
            latest = self.version(elder)
            if latest.is_retired(today - timedelta(days=self.retention_days)):
                continue
            if self.upcasts(latest, target) is not None:
                found.append(elder)
        return tuple(found)

    def upcasts(self, source: ContractVersion, target: ContractVersion) -> Route | None:
        """The way by which data of an older version becomes data of a newer one; None where there is none."""
        upcasts = [version.upcast for version in self.versions if version.upcast]
        steps = routes.up((source.major, source.minor), (target.major, target.minor), upcasts, self._minors)
        return None if steps is None else Route(source, target, steps)

    def companions(self, version: ContractVersion) -> tuple[Route, ...]:
        """The ways by which an event of a version is also published in older major versions, newest first."""
        downcasts = [other.downcast for other in self.versions if other.downcast]
        majors = sorted({other.major for other in self.versions if other.major < version.major}, reverse=True)
        ways = [
            routes.down((version.major, version.minor), major, downcasts, self._minors) for major in majors
        ]
        return tuple(Route(version, self.version(*way[0]), way[1]) for way in ways if way is not None)

    @property
    def _minors(self) -> list[routes.Number]:
        """The versions whose readers can read the minor version before as it is."""
        if not self.compatibility.startswith(("BACKWARD", "FULL")):
            return []
        return [(version.major, version.minor) for version in self.versions]

    def key_of(self, data: object) -> str:
        """The partition key of the data, by the contract's key rule.

        Raises:
            PartitionKeyError: The data has no usable key.
        """
        return self.key.key_of(data)


@dataclass(frozen=True, slots=True)
class Milestone:
    """One hop of a service: an event, what it waits for, and how long it may take.

    Attributes:
        event: The subject awaited.
        after: The subject it waits for.
        deadline_seconds: The longest time from that one to this, in seconds; None when only the whole counts.
    """

    event: str
    after: str | None
    deadline_seconds: float | None = None

    @property
    def agency(self) -> str:
        """The agency whose turn it is."""
        return self.event.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Service:
    """A service to the public that crosses agencies, as a watcher sees it.

    Attributes:
        category: Which essential service this is (see `contracts.documents.shapes.SERVICE_CATEGORIES`).
        owner: The agency that answers for the whole.
        start: The subject whose event begins a transaction.
        ends: The subjects that must all occur to complete it.
        deadline_seconds: From the first event to the last end, in seconds; infinite where the document says
            none, which only `contracts.lint.coverage` meets.
        channels: Where the public can ask for it.
    """

    name: str
    title: str
    description: str
    category: str
    owner: str
    start: str
    milestones: tuple[Milestone, ...]
    ends: tuple[str, ...]
    deadline_seconds: float
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SubscriptionGrant:
    """The right of one agency to read one major version of an event, for one purpose.

    Attributes:
        consumer: The agency that reads.
        subject: The event it reads.
        major: The event's major version.
        name: The subscription's name in the bus; its consumer group is `<consumer>.<name>`.
        purpose: What the data is used for.
        legal_basis: Act and section; empty when none is given.
        fields: Paths it reads; `$` is everything.
        approved_by: The office of the owning agency that said yes; empty when nobody has.
        approved_on: When.
        expires: The last day on which it holds; None when it says none.
    """

    consumer: str
    subject: str
    major: int
    name: str
    purpose: str
    legal_basis: str
    fields: tuple[str, ...]
    approved_by: str
    approved_on: date | None
    expires: date | None

    @property
    def topic(self) -> str:
        """The topic it reads."""
        return names.event_type(self.subject, self.major)

    @property
    def owner(self) -> str:
        """The agency whose event it is."""
        return self.subject.partition(".")[0]

    def holds_on(self, day: date) -> bool:
        """Whether it grants anything on that day: approved by then, and not expired."""
        approved = bool(self.approved_by) and (self.approved_on is None or self.approved_on <= day)
        return approved and (self.expires is None or day <= self.expires)


Subscriptions: TypeAlias = Mapping[tuple[str, str], SubscriptionGrant]
"""By consumer and name."""
