"""Kinds of difference in single values: type, listed values, form of text, and what only describes."""

from __future__ import annotations

from typing import Final

from contracts.compatibility.kinds.kind import changing, harmless, narrowing, widening

_KEEP_VALUE: Final = "keep the value in the list and stop sending it, or publish a new major version"
_UNKNOWN_VALUE: Final = "say with `x-unknown-values` what a reader does with a value it does not know"
_NEW_FIELD: Final = "add a field of the new kind beside the old one, or publish a new major version"

KINDS: Final = (
    narrowing("TYPE_NARROWED", "Fewer types are accepted", _NEW_FIELD),
    widening("TYPE_EXTENDED", "More types are accepted", _NEW_FIELD),
    changing("TYPE_CHANGED", "Other types are accepted", _NEW_FIELD),
    narrowing("ENUM_ARRAY_ADDED", "Only listed values are accepted now", _NEW_FIELD),
    widening("ENUM_ARRAY_REMOVED", "Values need no longer be listed", _UNKNOWN_VALUE),
    widening("ENUM_ARRAY_EXTENDED", "A value joins the list", _UNKNOWN_VALUE),
    narrowing("ENUM_ARRAY_NARROWED", "A value leaves the list", _KEEP_VALUE),
    changing("ENUM_ARRAY_CHANGED", "Some values leave the list and others join it", _KEEP_VALUE),
    narrowing("CONST_ADDED", "Only one value is accepted now", _NEW_FIELD),
    widening("CONST_REMOVED", "The value is no longer fixed", _UNKNOWN_VALUE),
    changing("CONST_CHANGED", "Another value is the only one accepted", _NEW_FIELD),
    narrowing("PATTERN_ADDED", "Text must now match a pattern"),
    widening("PATTERN_REMOVED", "Text need no longer match a pattern"),
    changing("PATTERN_CHANGED", "Text must match another pattern"),
    narrowing("FORMAT_ADDED", "Text must now have a format, where formats are asserted"),
    widening("FORMAT_REMOVED", "Text need no longer have a format"),
    changing("FORMAT_CHANGED", "Text must have another format", _NEW_FIELD),
    changing("CONTENT_CHANGED", "What text carries inside is encoded in another way", _NEW_FIELD),
    narrowing("FALSE_SCHEMA_ADDED", "Nothing is accepted here any more"),
    widening("FALSE_SCHEMA_REMOVED", "Something is accepted where nothing was"),
    harmless("TITLE_CHANGED", "The title reads differently"),
    harmless(
        "DESCRIPTION_CHANGED", "The description reads differently", "see that the meaning is still the same"
    ),
    harmless(
        "DEFAULT_CHANGED", "A reader may assume another default", "see that readers agree on the default"
    ),
    harmless("EXAMPLES_CHANGED", "Other examples are given"),
    harmless(
        "DEPRECATED_CHANGED", "The field is, or is no longer, deprecated", "tell readers by when it ends"
    ),
    harmless("ID_CHANGED", "The schema has another `$id`"),
    harmless("ANNOTATION_CHANGED", "A keyword that no validator knows says something else"),
    changing("DIALECT_CHANGED", "The schema is written in another draft of JSON Schema"),
)
