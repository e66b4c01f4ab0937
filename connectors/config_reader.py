"""Reads configuration files; everything wrong in them is said at once, each thing with its place."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from connectors.config import (
    ConnectorConfig,
    EventSourceFile,
    Publish,
    SinkConfig,
    SinkFile,
    SourceConfig,
    SourceFile,
    Subscribe,
)
from connectors.conversion import ConversionError, zone_named
from connectors.document import Document, Steps, read_documents
from connectors.errors import ConfigurationError
from connectors.finding import (
    BAD_MAPPING,
    MISSING_FIELD,
    NAMED_TWICE,
    NOT_YAML,
    UNKNOWN_CONNECTOR,
    UNKNOWN_FIELD,
    VALUE_REFUSED,
    WRONG_TYPE,
    Finding,
    meant,
)
from connectors.identity import Identity
from connectors.mapping import Expression, MappingSyntaxError, compile_mapping
from connectors.registry import ConnectorType, connector_named, imported
from connectors.translate import EventMapping, RecordMapping
from contracts import DataPath

Model = TypeVar("Model", bound=BaseModel)


def load(
    files: Iterable[str | Path], environment: Mapping[str, str] | None = None
) -> tuple[list[ConnectorConfig], list[Finding]]:
    """Read configuration files.

    Args:
        files: Their paths; a file may hold several documents.
        environment: The variables that `${ENV:NAME}` may name; the process's own when absent.

    Returns:
        The connectors that are sound, and everything wrong with the others.
    """
    configs: dict[tuple[str, str], ConnectorConfig] = {}
    findings: list[Finding] = []
    for file in files:
        for document in _documents(str(file), os.environ if environment is None else environment):
            config = None if document.findings else _read(document)
            findings += document.findings
            if config is None:
                continue
            first = configs.setdefault((config.agency, config.name), config)
            if first is not config:
                findings.append(_named_twice(config, first))
    return list(configs.values()), sorted(findings)


def _documents(file: str, environment: Mapping[str, str]) -> list[Document]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        finding = Finding(file, 1, 1, NOT_YAML, "the file cannot be read", str(why), "name a file that can")
        return [Document(file, findings=[finding])]
    return read_documents(text, file, environment)


def _named_twice(config: ConnectorConfig, first: ConnectorConfig) -> Finding:
    return config.document.finding(
        ("name",),
        NAMED_TWICE,
        f"connector `{config.name}` of `{config.agency}` is named twice",
        f"both would own the same checkpoints or subscription; the first is in {first.document.file}",
        "give one another name",
    )


def _read(document: Document) -> ConnectorConfig | None:
    try:
        return _Reader(document).read()
    except _RejectedError:
        return None


class _RejectedError(Exception):
    """The document has findings; they are in its list."""


class _Reader:
    """Reads one document; what is wrong goes to its findings."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def read(self) -> ConnectorConfig:
        value = self._document.value
        if not isinstance(value, dict):
            self._refuse(
                (), WRONG_TYPE, "Expected an object", "a file describes one connector", "write its fields"
            )
        kind = self._connector(value)
        if kind.brings_events:
            return self._event_source(kind, value)
        if kind.kind == "source":
            return self._source(kind, value)
        return self._sink(kind, value)

    def _connector(self, value: Mapping[str, Any]) -> ConnectorType:
        name = value.get("connector")
        if not isinstance(name, str):
            self._refuse(
                (),
                MISSING_FIELD,
                "`connector` is missing",
                "it says what the file is about",
                "write its name",
            )
        try:
            return connector_named(name)
        except ConfigurationError as error:
            self._refuse(("connector",), UNKNOWN_CONNECTOR, error.what, error.why, error.how)

    def _event_source(self, kind: ConnectorType, value: Mapping[str, Any]) -> SourceConfig:
        file = self._validated(EventSourceFile, value, ())
        return SourceConfig(
            name=file.name,
            agency=file.agency,
            system=file.system,
            type=kind,
            options=self._validated(kind.options, file.source, ("source",)),
            publish=None,
            translate=None,
            mapping=None,
            identity=Identity(),
            document=self._document,
        )

    def _source(self, kind: ConnectorType, value: Mapping[str, Any]) -> SourceConfig:
        file = self._validated(SourceFile, value, ())
        options, publish = self._both(
            self._checked(kind.options, file.source, ("source",)),
            self._checked(Publish, file.publish, ("publish",)),
        )
        if (publish.data is None) == (publish.translate is None):
            self._refuse(
                ("publish",),
                MISSING_FIELD,
                "Expected one of `data` and `translate`",
                "one of them makes the event",
                "write exactly one",
            )
        mapping = self._record_mapping(publish) if publish.translate is None else None
        translate = mapping or self._function(("publish", "translate"), publish.translate)
        return SourceConfig(
            name=file.name,
            agency=file.agency,
            system=file.system,
            type=kind,
            options=options,
            publish=publish,
            translate=translate,
            mapping=mapping,
            identity=self._identity(publish.identity),
            document=self._document,
        )

    def _sink(self, kind: ConnectorType, value: Mapping[str, Any]) -> SinkConfig:
        file = self._validated(SinkFile, value, ())
        options, subscribe = self._both(
            self._checked(kind.options, file.sink, ("sink",)),
            self._checked(Subscribe, file.subscribe, ("subscribe",)),
        )
        if file.write is not None and file.translate is not None:
            self._refuse(
                ("translate",),
                MISSING_FIELD,
                "Expected one of `write` and `translate`, got both",
                "one of them makes the body",
                "remove one",
            )
        written = "$.data" if file.write is None else file.write
        mapping = EventMapping(self._compiled(written, ("write",))) if file.translate is None else None
        translate = mapping or self._function(("translate",), file.translate)
        return SinkConfig(
            name=file.name,
            agency=file.agency,
            system=file.system,
            type=kind,
            options=options,
            subscribe=subscribe,
            translate=translate,
            mapping=mapping,
            document=self._document,
        )

    def _both(self, options: BaseModel | None, section: Model | None) -> tuple[BaseModel, Model]:
        """Both sections, or the findings of both."""
        if options is None or section is None:
            raise _RejectedError
        return options, section

    def _validated(self, model: type[Model], value: Mapping[str, Any], steps: Steps) -> Model:
        checked = self._checked(model, value, steps)
        if checked is None:
            raise _RejectedError
        return checked

    def _checked(self, model: type[Model], value: Mapping[str, Any], steps: Steps) -> Model | None:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            known = {field.alias or name for name, field in model.model_fields.items()}
            for fault in error.errors(include_url=False, include_input=False, include_context=False):
                self._document.findings.append(self._fault(fault["type"], fault, steps, known))
            return None

    def _fault(self, kind: str, fault: Mapping[str, Any], steps: Steps, known: set[str]) -> Finding:
        place = (*steps, *fault["loc"])
        name = ".".join(map(str, place))
        if kind == "extra_forbidden":
            hint = meant(str(place[-1]), known)
            return self._document.finding(
                place, UNKNOWN_FIELD, f"unknown field `{name}`", "nothing reads it", hint
            )
        if kind == "missing":
            return self._document.finding(
                place, MISSING_FIELD, f"`{name}` is missing", "it has no default", "write it"
            )
        code = WRONG_TYPE if kind.endswith(("_type", "_parsing")) else VALUE_REFUSED
        said = str(fault["msg"]).removeprefix("Value error, ")
        return self._document.finding(place, code, f"`{name}` does not fit", said, "mend the value")

    def _record_mapping(self, publish: Publish) -> RecordMapping:
        def compiled(name: str, written: Any) -> Expression | None:
            return None if written is None else self._compiled(written, ("publish", name))

        zone = None
        if publish.time_zone is not None:
            try:
                zone = zone_named(publish.time_zone)
            except ConversionError as error:
                place = ("publish", "time_zone")
                self._refuse(
                    place, BAD_MAPPING, "unknown time zone", str(error), "write its name in the tz database"
                )
        return RecordMapping(
            data=self._compiled(publish.data, ("publish", "data")),
            time=compiled("time", publish.time),
            zone=zone,
            transaction=compiled("transaction", publish.transaction),
            key=compiled("key", publish.key),
        )

    def _identity(self, written: str | list[str] | None) -> Identity:
        texts = [] if written is None else [written] if isinstance(written, str) else written
        try:
            return Identity(tuple(DataPath.parse(text) for text in texts))
        except ValueError as error:
            self._refuse(
                ("publish", "identity"),
                BAD_MAPPING,
                str(error),
                "an identity is made of values of the record",
                "write paths such as $.reference",
            )

    def _compiled(self, written: Any, steps: Steps) -> Expression:
        try:
            return compile_mapping(written, steps)
        except MappingSyntaxError as error:
            self._refuse(error.place, BAD_MAPPING, str(error), "the mapping cannot be compiled", error.fix)

    def _function(self, steps: Steps, path: str | None) -> Any:
        try:
            found = imported(path or "")
        except ConfigurationError as error:
            self._refuse(steps, BAD_MAPPING, error.what, error.why, error.how)
        if not callable(found):
            self._refuse(
                steps, WRONG_TYPE, "Expected a function", "each record is given to it", "name a function"
            )
        return found

    def _refuse(self, steps: Steps, code: str, what: str, why: str, how: str) -> NoReturn:
        self._document.findings.append(self._document.finding(steps, code, what, why, how))
        raise _RejectedError
