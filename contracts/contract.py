"""The values of a catalogue: agencies, contracts and their versions, services, subscriptions."""

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
from contracts.schema.dialect import Documents
from contracts.schema.ids import schema_guid
from contracts.schema.references import Subschema, root_of
from contracts.validation import CompiledSchema, Violation
from contracts.versions import routes
from contracts.versions.conversion import Conversion
from contracts.versions.run import MAX_RESULT_BYTES

Classification: TypeAlias = Literal["public", "internal", "personal", "sensitive"]
Compatibility: TypeAlias = Literal[
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"
]
ContentModel: TypeAlias = Literal["tolerant", "as-written"]
Level: TypeAlias = Literal["national", "regional", "local"]

DEFAULT_MAX_BYTES = 262_144
HARD_MAX_BYTES = MAX_RESULT_BYTES
SHOWN_VIOLATIONS = 3
SUNSET_NEAR_DAYS = 90
"""How long before its last day a version counts as ending."""


@dataclass(frozen=True, slots=True)
class ClusterPolicy:
    """What holds for the whole cluster: the document `cluster.yaml`.

    Attributes:
        replication_factor: Copies of each topic; None leaves it to the cluster.
        min_insync_replicas: Copies that must hold an event before it counts as acknowledged; likewise.
        publish_bytes_per_second: How much each agency may publish on each broker; likewise.
        read_bytes_per_second: How much each agency may read from each broker; likewise.
        spared_principals: Principals whose access is not the catalogue's matter, in Kafka's form; None if it
            says nothing about them.
    """

    replication_factor: int | None = None
    min_insync_replicas: int | None = None
    publish_bytes_per_second: int | None = None
    read_bytes_per_second: int | None = None
    spared_principals: tuple[str, ...] | None = None


DEFAULT_POLICY = ClusterPolicy()
"""What holds where the catalogue says nothing."""


@dataclass(frozen=True, slots=True)
class System:
    """One system of an agency, named in the source of its events."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency and its contact."""

    name: str
    title: str
    contact: str
    level: Level
    description: str = ""
    systems: tuple[System, ...] = ()


@dataclass(frozen=True)
class KeyRule:
    """How the partition key is read from the data: from one field of it."""

    kind: Literal["field"]
    path: str

    def key_of(self, data: object) -> str:
        """The partition key of the data: the text or integer at the rule's path.

        Raises:
            PartitionKeyError: There is no value, or one that cannot be a key.
        """
        value = data
        for step in self._steps:
            # `dict` first: a look at the abstract class takes three times as long.
            if not isinstance(value, (dict, Mapping)) or step not in value:
                raise PartitionKeyError(f"Expected a partition key, got nothing - at `{self.path}`")
            value = value[step]
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise PartitionKeyError(f"Expected text or an integer as partition key - at `{self.path}`")

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return parse_path(self.path)


@dataclass(frozen=True, eq=False)
class ContractVersion:
    """One `major.minor` version of a contract: its schema, and how to read it.

    Attributes:
        number: `major.minor`, such as `1.0`.
        schema: The JSON Schema document.
        sha256: The SHA-256 of the schema's file, in hexadecimal.
        references: Schemas of other files, by their `$id`.
        assert_formats: Whether `format` is checked (see `contracts.schema.formats`) or only an annotation.
        content_model: `tolerant` (closed for writers, open for readers) or `as-written` for both.
        deprecated: Whether publishers should move to a newer version.
        sunset: The last day, in UTC, on which it is published.
        upcast: Converts data of an older version to this one.
        downcast: Converts data of this version to an older one.
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
        """Type and number, as receipts name a version."""
        return self.type, self.number

    @cached_property
    def dataschema(self) -> str:
        """The CloudEvents `dataschema` of exactly this version."""
        return names.data_schema(self.contract.subject, self.number)

    @cached_property
    def root(self) -> Subschema:
        """The schema as a whole, with what resolves its references."""
        return root_of(self.schema, self.references)

    @cached_property
    def guid(self) -> UUID:
        """The GUID by which clients of Confluent's Schema Registry know the schema."""
        return schema_guid(self.schema, self.references)

    def is_retired(self, today: date) -> bool:
        """Whether its sunset has passed, so that it is no longer published."""
        return self.sunset is not None and today > self.sunset

    def days_left(self, today: date) -> int | None:
        """Days until its sunset, its last day; negative after it, None without one."""
        return None if self.sunset is None else (self.sunset - today).days

    def is_ending(self, today: date) -> bool:
        """Whether its sunset is at most `SUNSET_NEAR_DAYS` away, or has passed."""
        left = self.days_left(today)
        return left is not None and left <= SUNSET_NEAR_DAYS

    def is_valid(self, data: object) -> bool:
        """Whether the data is valid for publishing. The first call compiles the schema.

        Raises:
            SchemaUnusableError: The schema does not compile.
        """
        return self.writer.is_valid(data)

    def violations(self, data: object) -> tuple[Violation, ...]:
        """All violations that prevent publishing the data; empty when it is valid.

        At most `contracts.validation.MAX_VIOLATIONS`; none quotes a value or an undeclared name.

        Raises:
            SchemaUnusableError: The schema does not compile.
        """
        return self.writer.violations(data)

    def compile(self) -> None:
        """Compile the schema now instead of at the first event.

        Raises:
            SchemaUnusableError: The schema does not compile.
        """
        _ = self.writer

    @cached_property
    def writer_documents(self) -> Documents:
        """The schema for published data, and its references."""
        return self._models[0]

    @cached_property
    def reader_documents(self) -> Documents:
        """The schema for delivered data, and its references."""
        return self._models[1]

    @cached_property
    def writer(self) -> CompiledSchema:
        """The validator of published data: under `tolerant`, only declared properties.

        Raises:
            SchemaUnusableError: The schema does not compile.
        """
        return self._compiled(self.writer_documents)

    @cached_property
    def reader(self) -> CompiledSchema:
        """The validator of delivered data: under `tolerant`, also undeclared properties.

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
        return CompiledSchema(*documents, assert_formats=self.assert_formats)


@dataclass(frozen=True, slots=True)
class Route:
    """The conversions from one version to another. Results are checked against the target version.

    Attributes:
        source: The version of the input.
        target: The version of the result.
        steps: The conversions in order; empty when the data needs no conversion.
    """

    source: ContractVersion
    target: ContractVersion
    steps: tuple[Conversion, ...]

    def read(self, data: object) -> Any:
        """Convert data to the target version, valid for its readers.

        Raises:
            ConversionError: The data cannot be converted. Names contract, versions and file; quotes no data.
        """
        made = self._converted(data)
        if self.steps and not self.target.reader.is_valid(made):
            raise self._error(self.target.reader.violations(made))
        return made

    def write(self, data: object) -> Any:
        """Convert data to the target version, valid for publishing.

        Raises:
            ConversionError: The data cannot be converted. Names contract, versions and file; quotes no data.
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
        what = f"the result is not valid for version {self.target.number}: {shown or 'it is not JSON'}"
        return self.steps[-1].error(what)


@dataclass(frozen=True, eq=False)
class Contract:
    """One event that an agency publishes, and its promises.

    Attributes:
        subject: `<agency>.<event>`.
        owner: The office responsible for the contract.
        personal_fields: Path (`$.child.name`) to category (`name`) of every personal field.
        retention_days: How long the topic keeps events, in days.
        max_bytes: The maximum size of an encoded event, in bytes.
        versions: Oldest first.
        other_fields: The classification of all other fields; None when not declared.
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
        """Whether readers accept undeclared properties; the same in every version."""
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
        """The latest matching version.

        Args:
            major: The major version, or None for the latest.
            minor: The minor version, or None for the latest of that major.

        Raises:
            UnknownVersionError: No version matches.
        """
        for version in reversed(self.versions):
            if major in (None, version.major) and minor in (None, version.minor):
                return version
        wanted = ".".join("any" if part is None else str(part) for part in (major, minor))
        raise UnknownVersionError(self.subject, wanted, [version.number for version in self.versions])

    def sunset(self, major: int) -> date | None:
        """The last day on which a major version is published, which is that of its latest minor version.

        Raises:
            UnknownVersionError: There is no such major version.
        """
        return self.version(major).sunset

    def elder_majors(self, major: int, today: date) -> tuple[int, ...]:
        """Older major versions whose events a reader of `major` also receives, upcast, oldest first.

        An older version is included while its topic may hold events: until `retention_days` after its sunset.

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
        """The conversions from an older version to a newer one; None when there are none."""
        upcasts = [version.upcast for version in self.versions if version.upcast]
        steps = routes.up((source.major, source.minor), (target.major, target.minor), upcasts, self._minors)
        return None if steps is None else Route(source, target, steps)

    def companions(self, version: ContractVersion) -> tuple[Route, ...]:
        """The conversions to older major versions in which an event is also published, newest first."""
        downcasts = [other.downcast for other in self.versions if other.downcast]
        majors = sorted({other.major for other in self.versions if other.major < version.major}, reverse=True)
        ways = [
            routes.down((version.major, version.minor), major, downcasts, self._minors) for major in majors
        ]
        return tuple(Route(version, self.version(*way[0]), way[1]) for way in ways if way is not None)

    @property
    def _minors(self) -> list[routes.Number]:
        """The versions whose readers can read the previous minor version without conversion."""
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
    """One step of a service: an event, the event before it, and the time allowed.

    Attributes:
        event: The subject of the event.
        after: The subject of the event before it.
        deadline_seconds: The time allowed between the two, in seconds; None for no limit.
    """

    event: str
    after: str | None
    deadline_seconds: float | None = None

    @property
    def agency(self) -> str:
        """The agency that publishes the event."""
        return self.event.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Service:
    """A public service across agencies, as monitoring sees it.

    Attributes:
        category: Which essential service this is (see `contracts.documents.categories`).
        owner: The agency responsible for the whole service.
        start: The subject of the event that starts a transaction.
        ends: The subjects of the events that complete it; all must occur.
        deadline_seconds: The time allowed from the start to the last end, in seconds; infinite when the
            document has no deadline, which only `contracts.lint.coverage` accepts.
        channels: Where the public can request it.
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

    The document is `agencies/<consumer>/subscriptions/<subject>.yaml`, or `<subject>.<word>.yaml` for another
    purpose or version. `apply` turns it into access rights, and removes them when it expires or is removed.

    Attributes:
        consumer: The agency that reads.
        subject: The event it reads.
        major: The event's major version.
        name: The name of the subscription; the consumer group is `<consumer>.<name>`.
        purpose: What the data is used for.
        legal_basis: Act and section; empty when not stated.
        fields: Paths that it reads; `$` means everything.
        approved_by: The office of the owning agency that approved it; empty when not approved.
        approved_on: The day of the approval.
        expires: The last day on which it is valid; None for no end.
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
        """The topic that it reads."""
        return names.event_type(self.subject, self.major)

    @property
    def owner(self) -> str:
        """The agency that owns the event."""
        return self.subject.partition(".")[0]

    def holds_on(self, day: date) -> bool:
        """Whether it grants access on that day: approved and not expired."""
        approved = bool(self.approved_by) and (self.approved_on is None or self.approved_on <= day)
        return approved and (self.expires is None or day <= self.expires)


Subscriptions: TypeAlias = Mapping[tuple[str, str], SubscriptionGrant]
"""By consumer and name."""
