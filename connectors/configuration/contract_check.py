"""Compares connectors with a catalogue: contracts exist, and mappings name their fields. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date

from connectors.configuration.config import ConnectorConfig, Publish, SinkConfig, SourceConfig, Subscribe
from connectors.translation.codes import NOT_IN_CONTRACT, UNKNOWN_CONTRACT, VERSION_ENDS, suggestion
from connectors.translation.mapping import Expression, ListOf, ObjectOf, Steps, ValueAt
from connectors.translation.translate import EVENT_FIELDS
from contracts import Catalog, ContractVersion, Finding, Subschema


def check_contracts(configs: Sequence[ConnectorConfig], catalog: Catalog) -> list[Finding]:
    """A finding for everything in which connectors and catalogue disagree."""
    return [finding for config in configs for finding in _check(config, catalog)]


def check_sunsets(configs: Sequence[ConnectorConfig], catalog: Catalog, today: date) -> list[Finding]:
    """A finding for every version that is published or read, and whose last day is near or over."""
    found = []
    for config in configs:
        name, section = _section(config)
        contract = None if section is None else catalog.contracts.get(section.event)
        if section is None or contract is None:
            continue
        version = {_named(section, each): each for each in contract.versions}.get(str(section.version))
        if version is not None and version.is_ending(today):
            newest = contract.version()
            found.append(
                Finding(
                    config.document.place(name, "version"),
                    VERSION_ENDS,
                    f"the last day of version {version.number} of `{section.event}` is {version.sunset}",
                    "after it nothing is published in it",
                    f"move to version {newest.number}" if newest is not version else "ask for the next one",
                )
            )
    return found


def _section(config: ConnectorConfig) -> tuple[str, Publish | Subscribe | None]:
    if isinstance(config, SourceConfig):
        return "publish", config.publish
    return "subscribe", config.subscribe


def _check(config: ConnectorConfig, catalog: Catalog) -> Iterator[Finding]:
    if config.agency not in catalog.agencies:
        yield _unknown(config, ("agency",), "agency", config.agency, catalog.agencies)
    name, section = _section(config)
    if section is None:
        return
    contract = catalog.contracts.get(section.event)
    if contract is None:
        yield _unknown(config, (name, "event"), "contract", section.event, catalog.contracts)
        return
    known = {_named(section, version): version for version in contract.versions}
    version = known.get(str(section.version))
    if version is None:
        yield _unknown(
            config, (name, "version"), f"version of `{section.event}`", str(section.version), known
        )
        return
    if isinstance(config, SinkConfig):
        yield from _check_sink(config, version)
    elif config.publish is not None:
        yield from _check_source(config, config.publish, version, catalog)


def _named(section: Publish | Subscribe, version: ContractVersion) -> str:
    """A version as the section names it: what is published in full, what is read by its major number."""
    return version.number if isinstance(section, Publish) else str(version.major)


def _unknown(config: ConnectorConfig, steps: Steps, kind: str, name: str, known: Collection[str]) -> Finding:
    place, why = config.document.place(*steps), "the catalogue does not have it"
    return Finding(place, UNKNOWN_CONTRACT, f"no {kind} `{name}`", why, suggestion(name, known))


def _check_source(
    config: SourceConfig, publish: Publish, contract: ContractVersion, catalog: Catalog
) -> Iterator[Finding]:
    if contract.contract.agency != config.agency:
        yield Finding(
            config.document.place("publish", "event"),
            UNKNOWN_CONTRACT,
            f"`{publish.event}` is not an event of `{config.agency}`",
            "an agency publishes about its own domain only",
            f"publish an event of `{config.agency}`",
        )
    service = publish.service
    if service is not None and service not in catalog.services:
        yield _unknown(config, ("publish", "service"), "service", service, catalog.services)
    if config.mapping is not None:
        for steps, what, how in _differences(config.mapping.data, contract.root, ()):
            place = config.document.place("publish", "data", *steps)
            yield Finding(place, NOT_IN_CONTRACT, what, f"contract {contract.type}", how)


def _check_sink(config: SinkConfig, contract: ContractVersion) -> Iterator[Finding]:
    if config.mapping is None:
        return
    for path, steps in config.mapping.body.paths():
        missing = _not_delivered(path.steps, contract.root)
        if missing is not None:
            what, how = missing
            place = config.document.place(*steps)
            yield Finding(place, NOT_IN_CONTRACT, what, f"contract {contract.type}", how)


def _not_delivered(steps: Steps, root: Subschema) -> tuple[str, str] | None:
    """What is wrong with a path into an event, and how to correct it."""
    if not steps:
        return None
    if steps[0] not in EVENT_FIELDS:
        return f"an event has no `{steps[0]}`", suggestion(str(steps[0]), EVENT_FIELDS)
    if steps[0] != "data":
        return None
    here: Subschema | None = root
    for step in steps[1:]:
        here = _resolved(here)
        if here is None:
            return None
        if isinstance(step, int):
            here = _inner(here, here.schema.get("items"))
            continue
        properties = here.schema.get("properties")
        if not isinstance(properties, Mapping):
            return None
        if step not in properties:
            return f"the contract has no `{step}` there", suggestion(step, properties)
        here = _inner(here, properties[step])
    return None


def _differences(
    expression: Expression, schema: Subschema | None, steps: Steps
) -> Iterator[tuple[Steps, str, str]]:
    """Where a mapping makes data that the schema refuses: steps, what, how to correct it."""
    here = _resolved(schema)
    if here is None:
        return
    if isinstance(expression, ObjectOf):
        yield from _object_differences(expression, here, steps)
    elif isinstance(expression, ListOf):
        items = _inner(here, here.schema.get("items"))
        for index, item in enumerate(expression.items):
            yield from _differences(item, items, (*steps, index))


def _object_differences(
    expression: ObjectOf, here: Subschema, steps: Steps
) -> Iterator[tuple[Steps, str, str]]:
    schema = here.schema
    properties = schema.get("properties", {})
    closed = schema.get("additionalProperties") is False or schema.get("unevaluatedProperties") is False
    for name, value in expression.fields.items():
        if name in properties:
            yield from _differences(value, _inner(here, properties[name]), (*steps, name))
        elif closed and "allOf" not in schema and "patternProperties" not in schema:
            yield (*steps, name), f"the contract has no `{name}` there", suggestion(name, properties)
    for name in schema.get("required", ()):
        if name not in expression.fields:
            yield steps, f"the contract requires `{name}`, the mapping does not give it", f"map `{name}`"
        elif isinstance(value := expression.fields[name], ValueAt) and value.optional:
            what = f"the contract requires `{name}`, the mapping may leave it out"
            yield (*steps, name), what, "give a default"


def _inner(here: Subschema, node: object) -> Subschema | None:
    return here.inner(node) if isinstance(node, Mapping) else None


def _resolved(here: Subschema | None) -> Subschema | None:
    """The schema behind references; None where they lead nowhere or in a circle."""
    for _ in range(16):
        if here is None or "$ref" not in here.schema:
            return here
        here = here.target()
    return None
