"""Reads configuration files; everything wrong in them is reported at once, each thing with its place."""

import inspect
from codecs import BOM_UTF8
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from connectors.configuration.config import (
    ConnectorConfig,
    EventSourceFile,
    Publish,
    SinkConfig,
    SinkFile,
    SourceConfig,
    SourceFile,
    Subscribe,
)
from connectors.configuration.environment import check_environment, filled_in, unset_texts
from connectors.configuration.registry import ConnectorType, connector_named, imported
from connectors.errors import ConfigurationError
from connectors.identity import Identity
from connectors.translation.codes import (
    BAD_MAPPING,
    MISSING_FIELD,
    NAMED_TWICE,
    NOT_YAML,
    UNKNOWN_CONNECTOR,
    UNKNOWN_FIELD,
    UNSET_VARIABLE,
    VALUE_REFUSED,
    WRONG_TYPE,
    suggestion,
)
from connectors.translation.mapping import Expression, MappingSyntaxError, Steps, compile_mapping
from connectors.translation.translate import EventMapping, RecordMapping
from contracts import (
    DataPath,
    Document,
    Environment,
    Finding,
    Place,
    ValueConversionError,
    read_yaml_documents,
    zone_named,
)

MAX_FILE_BYTES: Final = 1_048_576
Model = TypeVar("Model", bound=BaseModel)


def load(
    files: Iterable[str | Path],
    environment: Mapping[str, str] | None = None,
    *,
    offline: bool = False,
) -> tuple[list[ConnectorConfig], list[Finding]]:
    """Read configuration files.

    Args:
        files: Their paths; a file may hold several documents.
        environment: The variables that `${ENV:NAME}` may name; the process's own when absent.
        offline: Whether variables that are not set are no finding. What takes its value from one is not
            checked then, and a connector that has such an option cannot run.

    Returns:
        The connectors without findings, and everything wrong with the others.
    """
    variables = Environment() if environment is None else environment
    configs: dict[tuple[str, str], ConnectorConfig] = {}
    findings: list[Finding] = []
    for document in (document for file in files for document in _documents(str(file))):
        if isinstance(document, Finding):
            findings.append(document)
            continue
        unset = unset_texts(document, variables)
        reader = _Reader(document, filled_in(document.value, variables), unset)
        config = reader.config()
        found = [*reader.findings, *check_environment(document, variables)]
        found = [each for each in found if not (offline and each.code == UNSET_VARIABLE)]
        findings += found
        if config is None or found:
            continue
        first = configs.setdefault((config.agency, config.name), config)
        if first is not config:
            findings.append(_named_twice(config, first))
    return list(configs.values()), sorted(findings)


def _documents(file: str) -> list[Document | Finding]:
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        return [
            Finding(Place(file), NOT_YAML, "the file cannot be read", why, "name a file that can be read")
        ]
    if len(content) > MAX_FILE_BYTES:
        what, why = f"the file is larger than {MAX_FILE_BYTES:,} bytes", "nobody can check a file this large"
        return [Finding(Place(file), NOT_YAML, what, why, "split it: one file may hold one connector")]
    documents = read_yaml_documents(content.removeprefix(BOM_UTF8), file)
    return [_coded(read) if isinstance(read, Finding) else read for read in documents]


def _coded(finding: Finding) -> Finding:
    """A finding about YAML under the code that it has in this room."""
    if finding.code == "document-plain-yaml":
        finding = replace(finding, how=f"{finding.how}; write a secret as ${{ENV:NAME}}")
    code = NAMED_TWICE if finding.code == "document-duplicate-key" else NOT_YAML
    return replace(finding, code=code)


def _named_twice(config: ConnectorConfig, first: ConnectorConfig) -> Finding:
    return Finding(
        config.document.place("name"),
        NAMED_TWICE,
        f"connector `{config.name}` of `{config.agency}` is named twice",
        f"both would own the same checkpoints or subscription; the first is in {first.document.file}",
        "give one of them another name",
    )


def _runs_later(function: Any) -> bool:
    """Whether calling a function gives a coroutine or a generator, and runs nothing."""
    call = function if inspect.isroutine(function) else type(function).__call__
    kinds = inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction
    return any(kind(function) or kind(call) for kind in kinds)


class _RejectedError(Exception):
    """The document has findings; they are in the reader's list."""


class _Reader:
    """Reads one document; what is wrong goes to `findings`, but not what an unset variable would decide."""

    def __init__(self, document: Document, value: Any, unset: Collection[Steps]) -> None:
        self.findings: list[Finding] = []
        self._unset = unset
        self._document = document
        self._value = value

    def config(self) -> ConnectorConfig | None:
        """The connector, None where there are findings."""
        try:
            return self._config(self._value)
        except _RejectedError:
            return None

    def _config(self, value: Any) -> ConnectorConfig:
        if not isinstance(value, dict):
            self._refuse(
                (), WRONG_TYPE, "Expected an object", "a document describes one connector", "write its fields"
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
            self._refuse((), MISSING_FIELD, "`connector` is missing", "it says what to run", "write its name")
        try:
            return connector_named(name)
        except ConfigurationError as error:
            self._refuse(("connector",), UNKNOWN_CONNECTOR, error.what, error.why, error.how)

    def _event_source(self, kind: ConnectorType, value: Mapping[str, Any]) -> SourceConfig:
        file = self._required(EventSourceFile, value)
        options = self._required(kind.options, file.source, "source")
        return SourceConfig(
            **self._shared(kind, file, options),
            publish=None,
            translate=None,
            mapping=None,
            identity=Identity(),
        )

    def _source(self, kind: ConnectorType, value: Mapping[str, Any]) -> SourceConfig:
        file = self._required(SourceFile, value)
        options = self._checked(kind.options, file.source, "source")
        publish = self._required(Publish, file.publish, "publish")
        if (publish.data is None) == (publish.translate is None):
            what, why = "Expected one of `data` and `translate`", "one of them makes the event"
            self._refuse(("publish",), MISSING_FIELD, what, why, "write exactly one")
        mapping = self._record_mapping(publish) if publish.translate is None else None
        translate = mapping or self._function(publish.translate, "publish", "translate")
        identity = self._identity(publish.identity)
        return SourceConfig(
            **self._shared(kind, file, options),
            publish=publish,
            translate=translate,
            mapping=mapping,
            identity=identity,
        )

    def _sink(self, kind: ConnectorType, value: Mapping[str, Any]) -> SinkConfig:
        file = self._required(SinkFile, value)
        options = self._checked(kind.options, file.sink, "sink")
        subscribe = self._required(Subscribe, file.subscribe, "subscribe")
        if file.write is not None and file.translate is not None:
            what, why = "Expected one of `write` and `translate`, got both", "one of them makes the body"
            self._refuse(("translate",), MISSING_FIELD, what, why, "remove one")
        written = "$.data" if file.write is None else file.write
        mapping = EventMapping(self._compiled(written, "write")) if file.translate is None else None
        translate = mapping or self._function(file.translate, "translate")
        return SinkConfig(
            **self._shared(kind, file, options),
            subscribe=subscribe,
            translate=translate,
            mapping=mapping,
        )

    def _shared(
        self, kind: ConnectorType, file: EventSourceFile | SinkFile, options: BaseModel | None
    ) -> dict[str, Any]:
        """The arguments that every configuration has."""
        if options is None:
            raise _RejectedError
        return {
            "name": file.name,
            "agency": file.agency,
            "system": file.system,
            "type": kind,
            "options": options,
            "document": self._document,
        }

    def _required(self, model: type[Model], value: Mapping[str, Any], *steps: str) -> Model:
        checked = self._checked(model, value, *steps)
        if checked is None:
            raise _RejectedError
        return checked

    def _checked(self, model: type[Model], value: Mapping[str, Any], *steps: str) -> Model | None:
        """The value as the model has it; None where there are findings, so that other sections add theirs."""
        try:
            return model.model_validate(value)
        except ValidationError as error:
            known = {field.alias or name for name, field in model.model_fields.items()}
            before = len(self.findings)
            for fault in error.errors(include_url=False, include_input=False, include_context=False):
                self._add_fault(fault["type"], (*steps, *fault["loc"]), fault["msg"], known)
            # Unchecked where all that is wrong waits for a variable, so that the rest is checked.
            return None if len(self.findings) > before else model.model_construct(**value)

    def _add_fault(self, kind: str, steps: Steps, message: str, known: set[str]) -> None:
        name = ".".join(map(str, steps))
        if kind == "extra_forbidden":
            how = suggestion(str(steps[-1]), known)
            self._add(steps, UNKNOWN_FIELD, f"unknown field `{name}`", "nothing reads it", how)
        elif kind == "missing":
            self._add(steps, MISSING_FIELD, f"`{name}` is missing", "it has no default", "write it")
        else:
            code = WRONG_TYPE if kind.endswith(("_type", "_parsing")) else VALUE_REFUSED
            why = message.removeprefix("Value error, ")
            self._add(steps, code, f"`{name}` does not fit", why, "correct the value")

    def _record_mapping(self, publish: Publish) -> RecordMapping:
        def compiled(name: str, written: Any) -> Expression | None:
            return None if written is None else self._compiled(written, "publish", name)

        zone = None
        if publish.time_zone is not None:
            try:
                zone = zone_named(publish.time_zone)
            except ValueConversionError as error:
                place, how = ("publish", "time_zone"), "write its name in the tz database"
                self._refuse(place, BAD_MAPPING, "unknown time zone", str(error), how)
        return RecordMapping(
            data=self._compiled(publish.data, "publish", "data"),
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
            why, how = "an identity is made of values of the record", "write paths such as $.reference"
            self._refuse(("publish", "identity"), BAD_MAPPING, str(error), why, how)

    def _compiled(self, written: Any, *steps: str) -> Expression:
        try:
            return compile_mapping(written, steps)
        except MappingSyntaxError as error:
            self._refuse(error.steps, BAD_MAPPING, str(error), "the mapping cannot be compiled", error.fix)

    def _function(self, path: str | None, *steps: str) -> Any:
        try:
            found = imported(path or "")
        except ConfigurationError as error:
            self._refuse(steps, BAD_MAPPING, error.what, error.why, error.how)
        if not callable(found) or isinstance(found, type) or _runs_later(found):
            why = "it is called with each record or event, and what it returns is used"
            self._refuse(
                steps,
                WRONG_TYPE,
                "Expected a plain function",
                why,
                "name a function without `async` or `yield`",
            )
        return found

    def _refuse(self, steps: Steps, code: str, what: str, why: str, how: str) -> NoReturn:
        self._add(steps, code, what, why, how)
        raise _RejectedError

    def _add(self, steps: Steps, code: str, what: str, why: str, how: str) -> None:
        is_of_a_name = code in (UNKNOWN_FIELD, MISSING_FIELD)
        if is_of_a_name or not any(one[: len(steps)] == tuple(steps) for one in self._unset):
            self.findings.append(Finding(self._document.place(*steps), code, what, why, how))
