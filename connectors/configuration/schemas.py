"""The JSON Schema of a connector's file, made of what reads it: the installed connectors, and the mapping.

Law: what `connect check` takes, the schema takes. It cannot say all that the check finds, such as a secret
that is written out or a field that the contract lacks.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from connectors.configuration.config import EventSourceFile, Publish, SinkFile, SourceFile, Subscribe
from connectors.configuration.environment import VARIABLE
from connectors.configuration.registry import ConnectorType, connectors_available
from connectors.translation.mapping import FROM_OPTIONS
from contracts import CONVERSION_OPTIONS, CONVERTERS, DIALECT, DocumentedSchema

_MAPPING = {"$ref": "#/$defs/mapping"}
_FROM_ENVIRONMENT = {"type": "string", "pattern": VARIABLE.pattern}
_RESTRICTED = ("enum", "const", "maxLength", "minLength", "pattern")


def connector_schema() -> dict[str, Any]:
    """The JSON Schema of one connector's document.

    Raises:
        ConfigurationError: An installed connector cannot be loaded.
    """
    definitions: dict[str, Any] = {"mapping": mapping_schema()}
    found = connectors_available()
    rows = [
        {
            "if": {"properties": {"connector": {"const": each.name}}, "required": ["connector"]},
            "then": _file(each, definitions),
        }
        for each in found
    ]
    return {
        "$schema": DIALECT,
        "title": "govbus: a connector",
        "type": "object",
        "required": ["connector", "name", "agency"],
        "properties": {
            "connector": {
                "description": "An installed connector, or `module:Class`.",
                "anyOf": [{"enum": [each.name for each in found]}, {"type": "string", "pattern": ":"}],
            }
        },
        "allOf": rows,
        "$defs": definitions,
    }


def _file(connector: ConnectorType, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a file that names the connector."""
    if connector.kind == "sink":
        model: type[BaseModel] = SinkFile
        sections = {"sink": connector.options, "subscribe": Subscribe}
    else:
        model = EventSourceFile if connector.brings_events else SourceFile
        sections = {"source": connector.options, "publish": Publish}
    schema = _schema_of(model, connector.name, definitions)
    for name, section in sections.items():
        if name in schema["properties"]:
            schema["properties"][name] = _schema_of(section, connector.name, definitions)
    mapped = ("data", "key", "time", "transaction") if connector.kind == "source" else ()
    for name in mapped if "publish" in schema["properties"] else ():
        schema["properties"]["publish"]["properties"][name] = _MAPPING
    if connector.kind == "sink":
        schema["properties"]["write"] = _MAPPING
    return schema


def _schema_of(model: type[BaseModel], prefix: str, definitions: dict[str, Any]) -> dict[str, Any]:
    schema = model.model_json_schema(
        ref_template=f"#/$defs/{prefix}.{{model}}", schema_generator=DocumentedSchema
    )
    for name, definition in schema.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = _with_variables(definition)
    made: dict[str, Any] = _with_variables(schema)
    return made


def _with_variables(schema: Any) -> Any:
    """The schema, where each restricted text may also come from the environment."""
    if isinstance(schema, list):
        return [_with_variables(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    restricted = {name: schema[name] for name in _RESTRICTED if name in schema}
    if schema.get("type") == "string" and restricted:
        rest = {name: value for name, value in schema.items() if name not in restricted}
        return {**rest, "anyOf": [restricted, _FROM_ENVIRONMENT]}
    return {
        name: value if name in ("enum", "const", "default", "examples") else _with_variables(value)
        for name, value in schema.items()
    }


def mapping_schema() -> dict[str, Any]:
    """The JSON Schema of a mapping, of the converters and options that there are."""
    word = {"enum": sorted(CONVERTERS)}
    options = {name: dict(option.schema) for name, option in CONVERSION_OPTIONS.items()}
    conversion = {
        **{name: dict(schema) for name, schema in FROM_OPTIONS.items()},
        "as": {"anyOf": [word, {"type": "array", "items": word}]},
        **options,
    }
    is_conversion = {"type": "object", "required": ["from"]}
    return {
        "if": is_conversion,
        "then": {"properties": conversion, "additionalProperties": False},
        "else": {
            "if": {"type": "string"},
            "then": {"pattern": r"^(?!\$)|^\$(\$|[.\[]|\{ENV:|$)"},
            "else": {"items": _MAPPING, "additionalProperties": _MAPPING},
        },
    }
