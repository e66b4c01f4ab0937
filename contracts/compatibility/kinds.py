"""Every kind of difference between two schemas: whom it can break, and what to do instead.

Names are those of Confluent's registry where it has the kind. A kind explains a break; whether there is one
is proved by `contracts.compatibility.modes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.finding import Rule

_WRITE_NEW_MAJOR: Final = "keep the old form within this major version, or publish a new major version"
_TELL_READERS: Final = "let every reader move to a version that accepts it before anybody sends it"
_NOTHING_TO_DO: Final = "nothing: no event becomes valid or invalid"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of difference: its name, what it means, whom it can break, what to do instead.

    Attributes:
        name: As in Confluent's registry where that has the kind.
        meaning: One sentence.
        narrows: Whether an event that was valid may be refused now: breaks BACKWARD.
        widens: Whether an event that is valid now may have been refused before: breaks FORWARD.
        advice: What to do instead.
    """

    name: str
    meaning: str
    narrows: bool
    widens: bool
    advice: str

    @property
    def rule(self) -> Rule:
        """The kind as a rule, for lists and findings."""
        return Rule(self.name, f"{self.meaning}; {self.breaks}", self.advice)

    @property
    def breaks(self) -> str:
        """Whom it can break, in words."""
        match self.narrows, self.widens:
            case True, True:
                return "can break readers of the new version and of the old one"
            case True, False:
                return "a reader of the new version may refuse what was sent before"
            case False, True:
                return "a reader of the old version may refuse what is sent from now on"
            case _:
                return "breaks nobody"


def _narrowing(name: str, meaning: str, advice: str = _WRITE_NEW_MAJOR) -> Kind:
    return Kind(name, meaning, narrows=True, widens=False, advice=advice)


def _widening(name: str, meaning: str, advice: str = _TELL_READERS) -> Kind:
    return Kind(name, meaning, narrows=False, widens=True, advice=advice)


def _changing(name: str, meaning: str, advice: str = _WRITE_NEW_MAJOR) -> Kind:
    return Kind(name, meaning, narrows=True, widens=True, advice=advice)


def _harmless(name: str, meaning: str, advice: str = _NOTHING_TO_DO) -> Kind:
    return Kind(name, meaning, narrows=False, widens=False, advice=advice)


_KEEP_VALUE: Final = "keep the value in the list and stop sending it, or publish a new major version"
_UNKNOWN_VALUE: Final = "say with `x-unknown-values` what a reader does with a value it does not know"
_NEW_FIELD: Final = "add a field of the new kind beside the old one, or publish a new major version"

_VALUES: Final = (
    _narrowing("TYPE_NARROWED", "Fewer types are accepted", _NEW_FIELD),
    _widening("TYPE_EXTENDED", "More types are accepted", _NEW_FIELD),
    _changing("TYPE_CHANGED", "Other types are accepted", _NEW_FIELD),
    _narrowing("ENUM_ARRAY_ADDED", "Only listed values are accepted now", _NEW_FIELD),
    _widening("ENUM_ARRAY_REMOVED", "Values need no longer be listed", _UNKNOWN_VALUE),
    _widening("ENUM_ARRAY_EXTENDED", "A value joins the list", _UNKNOWN_VALUE),
    _narrowing("ENUM_ARRAY_NARROWED", "A value leaves the list", _KEEP_VALUE),
    _changing("ENUM_ARRAY_CHANGED", "Some values leave the list and others join it", _KEEP_VALUE),
    _narrowing("CONST_ADDED", "Only one value is accepted now", _NEW_FIELD),
    _widening("CONST_REMOVED", "The value is no longer fixed", _UNKNOWN_VALUE),
    _changing("CONST_CHANGED", "Another value is the only one accepted", _NEW_FIELD),
    _narrowing("PATTERN_ADDED", "Text must now match a pattern"),
    _widening("PATTERN_REMOVED", "Text need no longer match a pattern"),
    _changing("PATTERN_CHANGED", "Text must match another pattern"),
    _narrowing("FORMAT_ADDED", "Text must now have a format, where formats are asserted"),
    _widening("FORMAT_REMOVED", "Text need no longer have a format"),
    _changing("FORMAT_CHANGED", "Text must have another format", _NEW_FIELD),
    _changing("CONTENT_CHANGED", "What text carries inside is encoded in another way", _NEW_FIELD),
    _narrowing("FALSE_SCHEMA_ADDED", "Nothing is accepted here any more"),
    _widening("FALSE_SCHEMA_REMOVED", "Something is accepted where nothing was"),
    _harmless("TITLE_CHANGED", "The title reads differently"),
    _harmless(
        "DESCRIPTION_CHANGED", "The description reads differently", "see that the meaning is still the same"
    ),
    _harmless(
        "DEFAULT_CHANGED", "A reader may assume another default", "see that readers agree on the default"
    ),
    _harmless("EXAMPLES_CHANGED", "Other examples are given"),
    _harmless(
        "DEPRECATED_CHANGED", "The field is, or is no longer, deprecated", "tell readers by when it ends"
    ),
    _harmless("ID_CHANGED", "The schema has another `$id`"),
    _harmless("ANNOTATION_CHANGED", "A keyword that no validator knows says something else"),
    _changing("DIALECT_CHANGED", "The schema is written in another draft of JSON Schema"),
)

# Keyword, its name in a kind, what it bounds, and whether it bounds from above.
BOUNDS: Final = (
    ("maxLength", "MAX_LENGTH", "the longest text", True),
    ("minLength", "MIN_LENGTH", "the shortest text", False),
    ("maximum", "MAXIMUM", "the largest number", True),
    ("minimum", "MINIMUM", "the smallest number", False),
    ("exclusiveMaximum", "EXCLUSIVE_MAXIMUM", "the number that all must be below", True),
    ("exclusiveMinimum", "EXCLUSIVE_MINIMUM", "the number that all must be above", False),
    ("maxItems", "MAX_ITEMS", "the largest number of items", True),
    ("minItems", "MIN_ITEMS", "the smallest number of items", False),
    ("maxProperties", "MAX_PROPERTIES", "the largest number of properties", True),
    ("minProperties", "MIN_PROPERTIES", "the smallest number of properties", False),
    ("maxContains", "MAX_CONTAINS", "the largest number of items of the kind that `contains` names", True),
    ("minContains", "MIN_CONTAINS", "the smallest number of items of the kind that `contains` names", False),
)


def _bound(word: str, what: str, *, from_above: bool) -> Iterator[Kind]:
    stay = "keep the bound where it was, or publish a new major version"
    plain = f"{what[0].upper()}{what[1:]}"
    if word != "MIN_CONTAINS":  # absent, it is 1
        drop = "leave the bound away within this major version, or publish a new major version"
        yield _narrowing(f"{word}_ADDED", f"{plain} is now bounded", drop)
        yield _widening(f"{word}_REMOVED", f"{plain} is no longer bounded")
    larger, smaller = f"{plain} allowed is larger", f"{plain} allowed is smaller"
    if from_above:
        yield _widening(f"{word}_INCREASED", larger)
        yield _narrowing(f"{word}_DECREASED", smaller, stay)
    else:
        yield _narrowing(f"{word}_INCREASED", larger, stay)
        yield _widening(f"{word}_DECREASED", smaller)


_BOUND_KINDS: Final = (
    *(kind for _, word, what, from_above in BOUNDS for kind in _bound(word, what, from_above=from_above)),
    _narrowing("MULTIPLE_OF_ADDED", "Numbers must now be multiples of one"),
    _widening("MULTIPLE_OF_REMOVED", "Numbers need no longer be multiples of one"),
    _narrowing("MULTIPLE_OF_EXPANDED", "Numbers must be multiples of a multiple of what they were"),
    _widening("MULTIPLE_OF_REDUCED", "Numbers may be multiples of a part of what they were"),
    _changing("MULTIPLE_OF_CHANGED", "Numbers must be multiples of something else"),
)

_OPTIONAL: Final = "make it optional within this major version, or publish a new major version"
_KEEP_SENDING: Final = "go on sending it until the last reader of the old version is gone"
_TOLERANT: Final = "write `content_model: tolerant`, the default: readers then ignore what they do not know"
_KEEP_BRANCH: Final = "keep the alternative and stop sending it, or publish a new major version"

_OBJECTS: Final = (
    _narrowing("REQUIRED_ATTRIBUTE_ADDED", "A property must now be there", _OPTIONAL),
    _widening("REQUIRED_ATTRIBUTE_REMOVED", "A property need no longer be there", _KEEP_SENDING),
    _harmless(
        "OPTIONAL_PROPERTY_ADDED_TO_TOLERANT_CONTENT_MODEL",
        "A new optional property, which nobody sent before and readers ignore until they know it",
    ),
    _narrowing(
        "REQUIRED_PROPERTY_ADDED_TO_TOLERANT_CONTENT_MODEL",
        "A new property that must be there, which nobody sent before",
        _OPTIONAL,
    ),
    _harmless(
        "PROPERTY_REMOVED_FROM_TOLERANT_CONTENT_MODEL",
        "A property is no longer sent, and ignored where it still comes",
        "see that no reader needs it: `govbus contracts impact` names who reads it",
    ),
    _narrowing(
        "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
        "A property is described that anybody may have sent with any value before",
        _TOLERANT,
    ),
    _harmless(
        "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL",
        "A property is named that anybody may have sent with any value before and still may",
    ),
    _widening(
        "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
        "A new optional property, which readers of the old version refuse",
        _TOLERANT,
    ),
    _changing(
        "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
        "A new property that must be there, which readers of the old version refuse",
        _OPTIONAL,
    ),
    _widening(
        "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL",
        "A property is no longer described and may have any value",
        "keep describing it, or publish a new major version",
    ),
    _narrowing(
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
        "A property that was sent is refused now",
        _TOLERANT,
    ),
    _harmless(
        "PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL",
        "A property that was refused by name is refused with all others",
    ),
    _widening("ADDITIONAL_PROPERTIES_ADDED", "Properties that are not declared are accepted", _TOLERANT),
    _narrowing("ADDITIONAL_PROPERTIES_REMOVED", "Properties that are not declared are refused", _TOLERANT),
    _widening("ADDITIONAL_PROPERTIES_EXTENDED", "Properties that are not declared may have any value"),
    _narrowing("ADDITIONAL_PROPERTIES_NARROWED", "Properties that are not declared must fit a schema"),
    _widening("UNEVALUATED_PROPERTIES_ADDED", "Properties that no part declares are accepted", _TOLERANT),
    _narrowing("UNEVALUATED_PROPERTIES_REMOVED", "Properties that no part declares are refused", _TOLERANT),
    _widening("UNEVALUATED_PROPERTIES_EXTENDED", "Properties that no part declares may have any value"),
    _narrowing("UNEVALUATED_PROPERTIES_NARROWED", "Properties that no part declares must fit a schema"),
    _narrowing("PATTERN_PROPERTY_ADDED", "Properties whose name matches a pattern must fit a schema"),
    _changing("PATTERN_PROPERTY_REMOVED", "A pattern of property names is no longer described"),
    _narrowing("PROPERTY_NAMES_ADDED", "Names of properties must fit a schema"),
    _widening("PROPERTY_NAMES_REMOVED", "Names of properties need no longer fit a schema"),
    _narrowing("DEPENDENCY_ARRAY_ADDED", "With one property, another must now come", _OPTIONAL),
    _widening("DEPENDENCY_ARRAY_REMOVED", "With one property, another need no longer come", _KEEP_SENDING),
    _narrowing("DEPENDENCY_ARRAY_EXTENDED", "With one property, more must come", _OPTIONAL),
    _widening("DEPENDENCY_ARRAY_NARROWED", "With one property, fewer must come", _KEEP_SENDING),
    _changing("DEPENDENCY_ARRAY_CHANGED", "With one property, others must come"),
    _narrowing("DEPENDENCY_SCHEMA_ADDED", "With one property, the whole must now fit a schema"),
    _widening("DEPENDENCY_SCHEMA_REMOVED", "With one property, the whole need no longer fit a schema"),
)

_ARRAYS: Final = (
    _narrowing("UNIQUE_ITEMS_ADDED", "Items must now all differ"),
    _widening("UNIQUE_ITEMS_REMOVED", "Items need no longer differ"),
    _narrowing("CONTAINS_ADDED", "An item of a kind must now be there"),
    _widening("CONTAINS_REMOVED", "An item of a kind need no longer be there"),
    _narrowing("ITEM_ADDED_TO_OPEN_CONTENT_MODEL", "An item is described that may have been anything before"),
    _widening("ITEM_ADDED_TO_CLOSED_CONTENT_MODEL", "One more item is accepted"),
    _widening("ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL", "An item is no longer described and may be anything"),
    _narrowing("ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", "One item less is accepted"),
    _widening("ADDITIONAL_ITEMS_ADDED", "Further items are accepted"),
    _narrowing("ADDITIONAL_ITEMS_REMOVED", "Further items are refused"),
    _widening("ADDITIONAL_ITEMS_EXTENDED", "Items may be anything"),
    _narrowing("ADDITIONAL_ITEMS_NARROWED", "Items must now fit a schema"),
    _widening("UNEVALUATED_ITEMS_ADDED", "Items that no part describes are accepted"),
    _narrowing("UNEVALUATED_ITEMS_REMOVED", "Items that no part describes are refused"),
    _widening("UNEVALUATED_ITEMS_EXTENDED", "Items that no part describes may be anything"),
    _narrowing("UNEVALUATED_ITEMS_NARROWED", "Items that no part describes must fit a schema"),
)

_COMBINED: Final = (
    _narrowing("PRODUCT_TYPE_EXTENDED", "One more schema of an `allOf` must fit"),
    _widening("PRODUCT_TYPE_NARROWED", "One schema less of an `allOf` must fit"),
    _widening("SUM_TYPE_EXTENDED", "One more alternative is accepted"),
    _narrowing("SUM_TYPE_NARROWED", "One alternative less is accepted", _KEEP_BRANCH),
    _narrowing("COMBINED_TYPE_ADDED", "Only listed alternatives are accepted now", _KEEP_BRANCH),
    _widening("COMBINED_TYPE_REMOVED", "Alternatives are no longer required"),
    _changing("COMBINED_TYPE_CHANGED", "Alternatives are put together in another way"),
    _narrowing("NOT_TYPE_ADDED", "A kind of value is excluded now"),
    _widening("NOT_TYPE_REMOVED", "A kind of value is no longer excluded"),
    _changing("NOT_TYPE_CHANGED", "Another kind of value is excluded"),
    _narrowing("CONDITION_ADDED", "A condition (`if`) requires more now"),
    _widening("CONDITION_REMOVED", "A condition (`if`) no longer requires more"),
    _changing("CONDITION_CHANGED", "What is required depends on another condition"),
    _changing("DYNAMIC_REFERENCE_CHANGED", "A `$dynamicRef` comes, goes or leads elsewhere"),
)

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in sorted((*_VALUES, *_BOUND_KINDS, *_OBJECTS, *_ARRAYS, *_COMBINED), key=lambda kind: kind.name)
}
"""Every kind by its name."""

NARROWED: Final = Rule(
    "SCHEMA_NARROWED",
    "An event that was valid is refused now, by keywords that act together",
    _WRITE_NEW_MAJOR,
)
WIDENED: Final = Rule(
    "SCHEMA_WIDENED",
    "An event that is valid now was refused before, by keywords that act together",
    _TELL_READERS,
)
UNDECIDED: Final = Rule(
    "COMPATIBILITY_UNDECIDED",
    "What cannot be proved is taken for a break: nobody knows whom it hits",
    "write the change more simply, publish a new major version, or have it waived",
)
VERDICT_RULES: Final = (NARROWED, WIDENED, UNDECIDED)
"""For a break that no kind explains, and for one that nothing rules out."""
RULES: Final = (*(kind.rule for kind in KINDS.values()), *VERDICT_RULES)
