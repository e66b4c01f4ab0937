"""JSON Schemas of the YAML documents of a catalogue, made of the shapes that read them.

Law: what the loader takes, the schema takes. A schema cannot say everything that the loader checks, such as
that a file exists; lint says the rest.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from contracts.documents.shapes import (
    AgencyShape,
    ClusterShape,
    ContractShape,
    ServiceShape,
    SubscriptionShape,
)
from contracts.lint.config import ConfigShape
from contracts.lint.waivers import WAIVERS

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""The newest that every editor reads."""

DOCUMENTS: Final[Mapping[str, tuple[str, TypeAdapter[Any]]]] = {
    "agency": ("agencies/*/agency.yaml", TypeAdapter(AgencyShape)),
    "catalog": ("catalog.yaml", TypeAdapter(ConfigShape)),
    "cluster": ("cluster.yaml", TypeAdapter(ClusterShape)),
    "contract": ("agencies/*/*/contract.yaml", TypeAdapter(ContractShape)),
    "service": ("services/*.yaml", TypeAdapter(ServiceShape)),
    "subscription": ("agencies/*/subscriptions/*.yaml", TypeAdapter(SubscriptionShape)),
    "waivers": ("waivers.yaml", WAIVERS),
}
"""By kind, where such documents are in a catalogue, and what reads them."""

OTHERS: Final = "govbus.schemas"
"""Entry points of other rooms: by kind of document, what returns its schema."""

_ATTRIBUTE: Final = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


class DocumentedSchema(GenerateJsonSchema):
    """Makes the JSON Schema of a model; docstrings, also its bases', describe fields under `Attributes:`."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """The schema of one model."""
        made = super().model_schema(schema)
        model = schema["cls"]
        what = (inspect.getdoc(model) or "").partition("Attributes:\n")[0]
        told: dict[str, str] = {}
        for base in reversed(model.__mro__):
            attributes = (inspect.getdoc(base) or "").partition("Attributes:\n")[2]
            told |= {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(attributes)}
        for name, field in model.model_fields.items():
            if name in told:
                made["properties"][field.alias or name]["description"] = told[name]
        return {**made, "description": " ".join(what.split())}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """The schema of a table; a key that does not have its form is refused."""
        made = super().dict_schema(schema)
        return {**made, "additionalProperties": False} if "patternProperties" in made else made

    def field_title_should_be_set(self, _schema: Any) -> bool:
        """A field has no title: it would repeat its name."""
        return False


def catalog_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each kind of document, by the name of its kind."""
    found = {}
    for kind, (place, adapter) in DOCUMENTS.items():
        schema = adapter.json_schema(by_alias=True, schema_generator=DocumentedSchema)
        found[kind] = {"$schema": DIALECT, **schema, "title": f"govbus: {place}"}
    return found


def all_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schemas of a catalogue's documents and of those that other rooms read, such as connectors."""
    others = {point.name: point.load()() for point in entry_points(group=OTHERS)}
    return {**catalog_schemas(), **others}


def schema_text(schema: Mapping[str, Any]) -> str:
    """The text of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
