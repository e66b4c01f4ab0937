"""What a configuration file says, as frozen values; `config_reader.py` beside it reads it from YAML."""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from connectors.configuration.registry import ConnectorType
from connectors.identity import Identity
from connectors.sink import Sink
from connectors.source import Source
from connectors.translation.translate import EventMapping, RecordMapping, TranslateEvent, TranslateRecord
from contracts import Document

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Section = dict[str, Any]


def _in_full(value: object) -> str:
    # YAML reads 1.10 without quotes as the number 1.1.
    if isinstance(value, str) and re.fullmatch("[0-9]+[.][0-9]+", value):
        return value
    raise ValueError('Expected both numbers of the version, in quotes, such as `"1.0"`')


Version = Annotated[str, BeforeValidator(_in_full)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Publish(_Model):
    """The `publish:` section of a source's file.

    Attributes:
        event: The subject, `<agency>.<event>`.
        version: The version of its contract that the mapping makes, such as `1.0`.
        service: The service whose transaction the event starts, or continues where `transaction` is given.
        transaction: Mapping to the transaction to continue.
        key: Mapping to the partition key; by the contract when absent.
        identity: Path or paths to the values that identify a fact; its place does when absent.
        time: Mapping to when the fact occurred.
        time_zone: The time zone of a `time` that carries no offset.
        data: Mapping to the event's data.
        translate: A function `module:function` instead of the mappings.
    """

    event: str
    version: Version
    service: str | None = None
    transaction: str | Section | None = None
    key: str | Section | None = None
    identity: str | list[str] | None = None
    time: str | Section | None = None
    time_zone: str | None = None
    data: Section | str | None = None
    translate: str | None = None


class Subscribe(_Model):
    """The `subscribe:` section of a sink's file.

    Attributes:
        event: The subject, `<agency>.<event>`.
        version: The major version of its contract.
        purpose: What the data is used for; it is in every delivery receipt.
        timeout_seconds: How long one write may take.
        max_in_flight: How many events may be under way to the target at a time.
        rate: How many may be sent to it a second; any number when absent.
    """

    event: str
    version: int = Field(ge=1)
    purpose: str = Field(min_length=1)
    timeout_seconds: float = Field(default=60.0, gt=0, le=3_600)
    max_in_flight: int = Field(default=1, ge=1, le=1_000)
    rate: float | None = Field(default=None, ge=0.001, le=1_000_000)


class EventSourceFile(_Model):
    """The top of the file of a source whose records are events, with nothing to map.

    Attributes:
        connector: An installed connector, or `module:Class`.
        name: Its name, unique within the agency.
        agency: The agency that publishes.
        system: The system that is read; part of the source of every event.
        source: The connector's own options.
    """

    connector: str
    name: Name
    agency: Name
    system: Name
    source: Section


class SourceFile(EventSourceFile):
    """The top of a source's file.

    Attributes:
        publish: The event that a record becomes.
    """

    publish: Section


class SinkFile(_Model):
    """The top of a sink's file.

    Attributes:
        connector: An installed connector, or `module:Class`.
        name: Its name, unique within the agency.
        agency: The agency that subscribes.
        system: The system that is written to.
        sink: The connector's own options.
        subscribe: The event that is read.
        write: Mapping to the body; the event's data as it is when absent.
        translate: A function `module:function` instead of the mapping.
    """

    connector: str
    name: Name
    agency: Name
    system: Name = "connectors"
    sink: Section
    subscribe: Section
    write: Section | list[Any] | str | None = None
    translate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    """What a source and a sink have in common.

    Attributes:
        name: Its name, unique within the agency; also that of its checkpoints or its subscription.
        agency: The agency that publishes or subscribes.
        system: The system it reads or writes; part of the source of every event it publishes.
        type: The connector.
        options: Its options.
        document: Where it is configured.
    """

    name: str
    agency: str
    system: str
    type: ConnectorType
    options: BaseModel = field(repr=False)
    document: Document = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig(_Config):
    """The configuration of a source.

    Attributes:
        publish: What it publishes; None when its records are events.
        translate: From record to event; None when its records are events.
        mapping: The compiled mapping, None when the file names a function.
        identity: What identifies its records.
    """

    publish: Publish | None
    translate: TranslateRecord | None = field(repr=False)
    mapping: RecordMapping | None = field(repr=False)
    identity: Identity

    def make(self) -> Source:
        """A new source, not connected."""
        source: Source = self.type.implementation(self.options)
        names = self.columns()
        if names is not None and hasattr(source, "keep_columns"):
            source.keep_columns(names)
        return source

    def columns(self) -> frozenset[str] | None:
        """The columns of a record that the file reads; None if a function reads it, or a path all of it."""
        if self.mapping is None:
            return None
        firsts = [path.steps[:1] for path in (*self.mapping.paths(), *self.identity.paths)]
        names = [step for first in firsts for step in first if isinstance(step, str)]
        return frozenset(names) if len(names) == len(firsts) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkConfig(_Config):
    """The configuration of a sink.

    Attributes:
        subscribe: What it subscribes to.
        translate: From event to body.
        mapping: The compiled mapping, None when the file names a function.
    """

    subscribe: Subscribe
    translate: TranslateEvent = field(repr=False)
    mapping: EventMapping | None = field(repr=False)

    def make(self) -> Sink:
        """A new sink, not connected."""
        sink: Sink = self.type.implementation(self.options)
        return sink


ConnectorConfig = SourceConfig | SinkConfig
