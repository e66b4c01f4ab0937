"""The keywords of the two dialects: which there are, on which types each has an effect, and their order."""

from __future__ import annotations

from typing import Final

_EVERYWHERE: Final = ("type", "const", "enum")
_TEXT: Final = ("format", "contentEncoding", "contentMediaType", "pattern", "minLength", "maxLength")
_NUMBER: Final = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf")
_OBJECT: Final = (
    *("properties", "patternProperties", "additionalProperties", "propertyNames", "required"),
    *("minProperties", "maxProperties"),
)
_ARRAY: Final = ("items", "contains", "minItems", "maxItems", "uniqueItems")
_BRANCHES: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
# `deprecated` came later than draft-07, which calls it, like any other word, an annotation.
_NOTES: Final = ("title", "description", "deprecated", "default", "examples", "readOnly", "writeOnly")
_BOTH: Final = frozenset(
    {
        *("$schema", "$id", "$ref", "$comment", "$defs", "definitions"),
        *(*_NOTES, *_EVERYWHERE, *_TEXT, *_NUMBER, *_OBJECT, *_ARRAY, *_BRANCHES),
    }
)
_OBJECT_2020: Final = ("unevaluatedProperties", "dependentRequired", "dependentSchemas")
_ARRAY_2020: Final = ("prefixItems", "unevaluatedItems", "minContains", "maxContains")

KNOWN_07: Final = _BOTH | {"additionalItems", "dependencies"}
"""The keywords of draft-07."""
KNOWN_2020_12: Final = _BOTH | {
    *("$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary", "contentSchema"),
    *(*_OBJECT_2020, *_ARRAY_2020),
}
"""The keywords of draft 2020-12."""

OF_TYPE: Final = {
    **dict.fromkeys((*_TEXT, "contentSchema"), frozenset({"string"})),
    **dict.fromkeys(_NUMBER, frozenset({"number", "integer"})),
    **dict.fromkeys((*_OBJECT, *_OBJECT_2020, "dependencies"), frozenset({"object"})),
    **dict.fromkeys((*_ARRAY, *_ARRAY_2020, "additionalItems"), frozenset({"array"})),
}
"""On which types a keyword has an effect; one that is not here has it on all."""

ORDER: Final = (
    *("$schema", "$id", "$anchor", "$dynamicAnchor", "$vocabulary", "$ref", "$dynamicRef", "$comment"),
    *("title", "description", "deprecated", "x-sunset", "default", "readOnly", "writeOnly"),
    *("type", "const", "enum", "x-unknown-values", *_TEXT, "contentSchema", *_NUMBER),
    *("properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames"),
    *("required", "dependencies", "dependentRequired", "dependentSchemas", "minProperties", "maxProperties"),
    *(
        "prefixItems",
        "items",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "minContains",
        "maxContains",
    ),
    *("minItems", "maxItems", "uniqueItems", *_BRANCHES, "examples", "$defs", "definitions"),
)
"""The order in which a formatted schema has its keywords."""
