"""Kinds of difference in objects, arrays and what is put together of several schemas."""

from __future__ import annotations

from typing import Final

from contracts.compatibility.kinds.kind import changing, harmless, narrowing, widening

_OPTIONAL: Final = "make it optional within this major version, or publish a new major version"
_KEEP_SENDING: Final = "go on sending it until the last reader of the old version is gone"
_TOLERANT: Final = "write `content_model: tolerant`, the default: readers then ignore what they do not know"
_KEEP_BRANCH: Final = "keep the alternative and stop sending it, or publish a new major version"

OBJECTS: Final = (
    narrowing("REQUIRED_ATTRIBUTE_ADDED", "A property must now be there", _OPTIONAL),
    widening("REQUIRED_ATTRIBUTE_REMOVED", "A property need no longer be there", _KEEP_SENDING),
    harmless(
        "OPTIONAL_PROPERTY_ADDED_TO_TOLERANT_CONTENT_MODEL",
        "A new optional property, which nobody sent before and readers ignore until they know it",
    ),
    narrowing(
        "REQUIRED_PROPERTY_ADDED_TO_TOLERANT_CONTENT_MODEL",
        "A new property that must be there, which nobody sent before",
        _OPTIONAL,
    ),
    harmless(
        "PROPERTY_REMOVED_FROM_TOLERANT_CONTENT_MODEL",
        "A property is no longer sent, and ignored where it still comes",
        "see that no reader needs it: `govbus contracts impact` names who reads it",
    ),
    narrowing(
        "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
        "A property is described that anybody may have sent with any value before",
        _TOLERANT,
    ),
    harmless(
        "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL",
        "A property is named that anybody may have sent with any value before and still may",
    ),
    widening(
        "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
        "A new optional property, which readers of the old version refuse",
        _TOLERANT,
    ),
    changing(
        "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
        "A new property that must be there, which readers of the old version refuse",
        _OPTIONAL,
    ),
    widening(
        "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL",
        "A property is no longer described and may have any value",
        "keep describing it, or publish a new major version",
    ),
    narrowing(
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
        "A property that was sent is refused now",
        _TOLERANT,
    ),
    harmless(
        "PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL",
        "A property that was refused by name is refused with all others",
    ),
    widening("ADDITIONAL_PROPERTIES_ADDED", "Properties that are not declared are accepted", _TOLERANT),
    narrowing("ADDITIONAL_PROPERTIES_REMOVED", "Properties that are not declared are refused", _TOLERANT),
    widening("ADDITIONAL_PROPERTIES_EXTENDED", "Properties that are not declared may have any value"),
    narrowing("ADDITIONAL_PROPERTIES_NARROWED", "Properties that are not declared must fit a schema"),
    widening("UNEVALUATED_PROPERTIES_ADDED", "Properties that no part declares are accepted", _TOLERANT),
    narrowing("UNEVALUATED_PROPERTIES_REMOVED", "Properties that no part declares are refused", _TOLERANT),
    widening("UNEVALUATED_PROPERTIES_EXTENDED", "Properties that no part declares may have any value"),
    narrowing("UNEVALUATED_PROPERTIES_NARROWED", "Properties that no part declares must fit a schema"),
    narrowing("PATTERN_PROPERTY_ADDED", "Properties whose name matches a pattern must fit a schema"),
    changing("PATTERN_PROPERTY_REMOVED", "A pattern of property names is no longer described"),
    narrowing("PROPERTY_NAMES_ADDED", "Names of properties must fit a schema"),
    widening("PROPERTY_NAMES_REMOVED", "Names of properties need no longer fit a schema"),
    narrowing("DEPENDENCY_ARRAY_ADDED", "With one property, another must now come", _OPTIONAL),
    widening("DEPENDENCY_ARRAY_REMOVED", "With one property, another need no longer come", _KEEP_SENDING),
    narrowing("DEPENDENCY_ARRAY_EXTENDED", "With one property, more must come", _OPTIONAL),
    widening("DEPENDENCY_ARRAY_NARROWED", "With one property, fewer must come", _KEEP_SENDING),
    changing("DEPENDENCY_ARRAY_CHANGED", "With one property, others must come"),
    narrowing("DEPENDENCY_SCHEMA_ADDED", "With one property, the whole must now fit a schema"),
    widening("DEPENDENCY_SCHEMA_REMOVED", "With one property, the whole need no longer fit a schema"),
)

ARRAYS: Final = (
    narrowing("UNIQUE_ITEMS_ADDED", "Items must now all differ"),
    widening("UNIQUE_ITEMS_REMOVED", "Items need no longer differ"),
    narrowing("CONTAINS_ADDED", "An item of a kind must now be there"),
    widening("CONTAINS_REMOVED", "An item of a kind need no longer be there"),
    narrowing("ITEM_ADDED_TO_OPEN_CONTENT_MODEL", "An item is described that may have been anything before"),
    widening("ITEM_ADDED_TO_CLOSED_CONTENT_MODEL", "One more item is accepted"),
    widening("ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL", "An item is no longer described and may be anything"),
    narrowing("ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", "One item less is accepted"),
    widening("ADDITIONAL_ITEMS_ADDED", "Further items are accepted"),
    narrowing("ADDITIONAL_ITEMS_REMOVED", "Further items are refused"),
    widening("ADDITIONAL_ITEMS_EXTENDED", "Items may be anything"),
    narrowing("ADDITIONAL_ITEMS_NARROWED", "Items must now fit a schema"),
    widening("UNEVALUATED_ITEMS_ADDED", "Items that no part describes are accepted"),
    narrowing("UNEVALUATED_ITEMS_REMOVED", "Items that no part describes are refused"),
    widening("UNEVALUATED_ITEMS_EXTENDED", "Items that no part describes may be anything"),
    narrowing("UNEVALUATED_ITEMS_NARROWED", "Items that no part describes must fit a schema"),
)

COMBINED: Final = (
    narrowing("PRODUCT_TYPE_EXTENDED", "One more schema of an `allOf` must fit"),
    widening("PRODUCT_TYPE_NARROWED", "One schema less of an `allOf` must fit"),
    widening("SUM_TYPE_EXTENDED", "One more alternative is accepted"),
    narrowing("SUM_TYPE_NARROWED", "One alternative less is accepted", _KEEP_BRANCH),
    narrowing("COMBINED_TYPE_ADDED", "Only listed alternatives are accepted now", _KEEP_BRANCH),
    widening("COMBINED_TYPE_REMOVED", "Alternatives are no longer asked for"),
    changing("COMBINED_TYPE_CHANGED", "Alternatives are put together in another way"),
    narrowing("NOT_TYPE_ADDED", "A kind of value is excluded now"),
    widening("NOT_TYPE_REMOVED", "A kind of value is no longer excluded"),
    changing("NOT_TYPE_CHANGED", "Another kind of value is excluded"),
    narrowing("CONDITION_ADDED", "A condition (`if`) asks for more now"),
    widening("CONDITION_REMOVED", "A condition (`if`) no longer asks for more"),
    changing("CONDITION_CHANGED", "What is asked for depends on another condition"),
    changing("DYNAMIC_REFERENCE_CHANGED", "A `$dynamicRef` comes, goes or leads elsewhere"),
)
KINDS: Final = (*OBJECTS, *ARRAYS, *COMBINED)
