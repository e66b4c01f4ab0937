"""A schema in jsonschema-rs, whatever in it that cannot read.

It compiles a schema as a whole, so one reference that leads nowhere would cost every answer. Such a part is
taken to hold in one reading and to fail in another; where both readings give the same answer, it does not
matter what the part says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final
from urllib.parse import quote

import jsonschema_rs

from contracts.paths import Step, pointer
from contracts.patterns.safety import backtracking_risk
from contracts.patterns.spelling import strictly_spelled, weight
from contracts.schema.dialect import Documents, Schema
from contracts.schema.formats import LEFT_ALONE
from contracts.schema.json_values import NOT_JSON, is_larger, unshared
from contracts.schema.reference_validator import Obstacle
from contracts.schema.references import REFERENCES, Resolver, Subschema
from contracts.schema.walk import patterns_of, subschemas

_VALIDATORS: Final = {
    4: (jsonschema_rs.Draft4Validator, jsonschema_rs.Draft4),
    6: (jsonschema_rs.Draft6Validator, jsonschema_rs.Draft6),
    7: (jsonschema_rs.Draft7Validator, jsonschema_rs.Draft7),
    2019: (jsonschema_rs.Draft201909Validator, jsonschema_rs.Draft201909),
    2020: (jsonschema_rs.Draft202012Validator, jsonschema_rs.Draft202012),
}
_FAULTS: Final = (*NOT_JSON, jsonschema_rs.ReferencingError)
_IGNORED_FORMATS: Final = dict.fromkeys(LEFT_ALONE, lambda _text: True)
_MATCHING: Final = jsonschema_rs.FancyRegexOptions(backtrack_limit=200_000, size_limit=60_000_000)
_MANY: Final = 500
"""Values, above which an instance is not tried against a pattern that may be slow."""
_MOST_UNREAD: Final = 50
_KEPT: Final = ("$schema", "$id", "id", "$anchor", "$dynamicAnchor", "definitions", "$defs")
_NEVER: Final = r"[^\s\S]"
_ENCODED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_COUNTED: Final = re.compile(
    r"\^(\[(?:\\.|[^\]\\])*\]|\\[pP]\{[^{}]*\}|\\[dDwWsS])\{([0-9]{1,9})(,([0-9]{0,9}))?\}\$", re.DOTALL
)
_HEAVY: Final = 10_000
_TOO_HEAVY: Final = 30_000
"""Of all patterns that are compiled: some 60 MB."""
_LEFT: Final = "%!$&'()*+,/:;=?@~"
_Documents = tuple[Any, Mapping[str, Any]]
_Choice = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class _Unread:
    """A keyword that jsonschema-rs cannot read; `pattern` is of `patternProperties` where that is meant."""

    place: Subschema
    keyword: str
    obstacle: Obstacle
    pattern: str = ""


class Readings:
    """One schema in jsonschema-rs, compiled at its first use."""

    def __init__(
        self, schema: Schema | bool, references: Mapping[str, Schema], draft: int, *, assert_formats: bool
    ) -> None:
        self._documents: _Documents = (schema, references)
        self._draft = draft
        self._formats = assert_formats
        self._met: frozenset[str] | None = None
        self._known: dict[frozenset[str] | None, tuple[Any, Any] | None] = {}

    @cached_property
    def _plain(self) -> Any:
        try:
            return self._compiled(*self._documents)
        except _FAULTS:
            return None

    @cached_property
    def is_heavy(self) -> bool:
        """Whether jsonschema-rs takes long to compile all the patterns."""
        return sum(weight(pattern) for _, pattern in self._patterns) > _HEAVY

    def _weigh(self, met: frozenset[str] | None) -> int:
        """The weight of the patterns that are compiled; a counted one of texts is without its count then."""
        return sum(
            weight(pattern)
            for keyword, pattern in self._patterns
            if (met is None or pattern in met) and not (keyword == "pattern" and _COUNTED.fullmatch(pattern))
        )

    @cached_property
    def _patterns(self) -> frozenset[tuple[Step, str]]:
        """Every pattern, with `pattern` where it is one of texts."""
        schema, references = self._documents
        inside = (placed for document in (schema, *references.values()) for placed in subschemas(document))
        return frozenset((steps[-1], pattern) for placed in inside for steps, pattern in patterns_of(*placed))

    def _both(self, met: frozenset[str] | None) -> tuple[Any, Any] | None:
        """The schema in jsonschema-rs where all that is not read holds, and where none of it does."""
        if met not in self._known:
            try:
                self._known[met] = (self._read(lambda _: True, met), self._read(lambda _: False, met))
            except _FAULTS:
                self._known[met] = None
        return self._known[met]

    @cached_property
    def _is_risky(self) -> bool:
        return any(backtracking_risk(pattern) for _, pattern in self._patterns)

    def judged(self, data: Any, met: frozenset[str] | None = None) -> bool | Obstacle:
        """Whether the data is valid, or what stands in the way.

        Args:
            data: What JSON can hold.
            met: The patterns that the data meets, if known; where there are costly ones, only these are read.
        """
        if is_larger(data, _MANY) and self._is_risky:
            return Obstacle("an instance", "#", "too large for a pattern that may be slow", is_slow=True)
        try:
            if not self.is_heavy and self._plain is not None:
                return bool(self._plain.is_valid(data))
            self._met = met if self.is_heavy else None
            if self.is_heavy and self._weigh(self._met) > _TOO_HEAVY:
                return Obstacle("patterns", "#", "which are too large together for jsonschema-rs")
            if (both := self._both(self._met)) is None:
                return Obstacle("the schema", "#", "which jsonschema-rs does not compile")
            holding, failing = (bool(reading.is_valid(data)) for reading in both)
            return holding if holding is failing else self._deciding(data, self._met, holding=holding)
        except _FAULTS:
            return Obstacle("an instance", "#", "which jsonschema-rs cannot take")

    def refused_at(self, data: Any) -> tuple[list[str | int], list[str | int]] | None:
        """The path in the schema to the keyword that refuses the data, and the path in the data."""
        both = None if self._met is None and self._plain is not None else self._both(self._met)
        compiled = self._plain if both is None else both[0]
        try:
            errors = list(compiled.iter_errors(data)) if compiled else []
        except _FAULTS:
            return None
        if not errors:
            return None
        first = min(errors, key=lambda error: (-len(error.instance_path), len(error.schema_path)))
        return list(first.schema_path), list(first.instance_path)

    def _compiled(self, schema: Any, references: Mapping[str, Any]) -> Any:
        kind, draft = _VALIDATORS[self._draft]
        named = schema.get("id" if self._draft == 4 else "$id") if isinstance(schema, Mapping) else None
        if references and isinstance(named, str):  # another document may refer back to it
            references = {named.removesuffix("#"): schema, **references}
        documents = [(uri, dict(document)) for uri, document in references.items()]
        return kind(
            schema if isinstance(schema, bool) else dict(schema),
            registry=jsonschema_rs.Registry(documents, draft=draft) if documents else None,
            validate_formats=self._formats,
            formats=_IGNORED_FORMATS,
            pattern_options=_MATCHING,
            offline=True,
        )

    def _deciding(self, data: Any, met: frozenset[str] | None, *, holding: bool) -> Obstacle:
        """What is not read and decides about the data."""
        unread = _unread(*self._copied(), met)[:_MOST_UNREAD]
        for index, one in enumerate(unread):
            if self._read(index.__ne__, met).is_valid(data) is not holding:
                return one.obstacle
        return unread[0].obstacle

    def _copied(self) -> tuple[Any, Mapping[str, Any], Resolver]:
        schema, references = unshared(self._documents[0]), unshared(self._documents[1])
        return schema, references, Resolver(schema, references, self._draft)

    def _read(self, holds: _Choice, met: frozenset[str] | None) -> Any:
        schema, references, resolver = self._copied()
        for index, unread in enumerate(_unread(schema, references, resolver, met)):
            _decide(unread, holds=holds(index))
        for place in resolver.all.values():
            _spell(place)
        return self._compiled(schema, {_spelled(uri): document for uri, document in references.items()})


def held(schema: Schema, references: Mapping[str, Schema], draft: int) -> Documents | None:
    """The documents with each reference that leads nowhere taken to hold; None where there is none."""
    copied, copies = unshared(schema), unshared(references)
    unread = _unread(copied, copies, Resolver(copied, copies, draft), None)
    broken = [each for each in unread if each.keyword in REFERENCES]
    for each in broken:
        _decide(each, holds=True)
    return (copied, copies) if broken else None


@lru_cache(maxsize=2048)
def _is_readable(pattern: str, draft: int) -> bool:
    try:
        counted = _COUNTED.fullmatch(pattern)
        plain = f"^{counted[1]}*$" if counted else pattern
        _VALIDATORS[draft][0]({"pattern": plain}, pattern_options=_MATCHING)
    except _FAULTS:
        return False
    return True


def _unread(
    schema: Any, references: Mapping[str, Any], resolver: Resolver, met: frozenset[str] | None
) -> list[_Unread]:
    found = []
    for uri, document in (("", schema), *references.items()):
        for steps, node in subschemas(document):
            place = resolver.at(node)
            for keyword, pattern, why in _faults(place, met):
                way: list[Step] = [*steps, keyword, *([pattern] if keyword == "patternProperties" else ())]
                said = str(pattern or node[keyword])[:200]
                obstacle = Obstacle(f"`{keyword}` `{said}`", uri + pointer(way), why)
                found.append(_Unread(place, keyword, obstacle, pattern))
    return found


def _faults(place: Subschema, met: frozenset[str] | None) -> list[tuple[str, str, str]]:
    """The keywords of one schema that cannot be read, each with its pattern and what is wrong."""
    node = place.schema
    found = []
    since = {"$ref": range(4, 9999), "$dynamicRef": range(2020, 9999), "$recursiveRef": range(2019, 2020)}
    for keyword in REFERENCES:
        is_followed = isinstance(node.get(keyword), str) and place.draft in since[keyword]
        if is_followed and place.target(keyword) is None:
            found.append((keyword, "", "which leads nowhere"))
    patterns = [("pattern", text) for text in (node.get("pattern"),)]
    if isinstance(named := node.get("patternProperties"), Mapping):
        patterns += [("patternProperties", text) for text in named]
    for keyword, text in patterns:
        if not isinstance(text, str):
            continue
        if met is not None and text not in met:
            found.append((keyword, text, "which jsonschema-rs meets and jsonschema does not"))
        elif not _is_readable(_readable(text, place.draft), place.draft):
            found.append((keyword, text, "which jsonschema-rs cannot read"))
    return found


def _readable(pattern: str, draft: int) -> str:
    """The pattern as it stands where that can be read, else as strict dialects insist on it."""
    return pattern if _is_readable(pattern, draft) else strictly_spelled(pattern)


def _decide(unread: _Unread, *, holds: bool) -> None:
    """Take a part to hold or to fail: a reference for everything, a pattern for every text or name."""
    node: Any = unread.place.schema
    if unread.keyword == "pattern":
        node["pattern"] = "" if holds else _NEVER
    elif unread.keyword == "patternProperties":
        inner = node["patternProperties"].pop(unread.pattern)
        same = node["patternProperties"].pop("" if holds else _NEVER, {})
        node["patternProperties"]["" if holds else _NEVER] = {"allOf": [inner, same]}
    else:
        if unread.place.draft <= 7:  # a `$ref` has no siblings there
            kept = {keyword: node[keyword] for keyword in _KEPT if keyword in node}
            node.clear()
            node.update(kept)
        node.pop(unread.keyword, None)
        if not holds:
            node["allOf"] = [*node.get("allOf", ()), {"not": {}}]


def _spell(place: Subschema) -> None:
    """Write references and patterns as RFC 3986 and ECMA-262 have them, which jsonschema-rs insists on.

    `^[a-z]{1,500}$` becomes a pattern without a count and two lengths: as an automaton it would be large.
    """
    node: Any = place.schema
    if isinstance(pattern := node.get("pattern"), str):
        node["pattern"] = _readable(pattern, place.draft)
        if counted := _COUNTED.fullmatch(node["pattern"]):
            node["pattern"] = f"^{counted[1]}*$"
            bounds = {"minLength": int(counted[2])}
            if counted[4] or not counted[3]:
                bounds["maxLength"] = int(counted[4] or counted[2])
            node["allOf"] = [*node.get("allOf", ()), bounds]
    if isinstance(named := node.get("patternProperties"), dict):
        for pattern in [name for name in named if not _is_readable(name, place.draft)]:
            inner, spelled = named.pop(pattern), strictly_spelled(pattern)
            named[spelled] = {"allOf": [inner, named[spelled]]} if spelled in named else inner
    for keyword in (*REFERENCES, "$id", "id"):
        if isinstance(node.get(keyword), str) and (keyword != "id" or place.draft == 4):
            node[keyword] = _spelled(node[keyword])


def _spelled(reference: str) -> str:
    uri, mark, fragment = _ENCODED.sub("%25", reference).partition("#")
    return quote(uri, safe=_LEFT) + mark + quote(fragment, safe=_LEFT)
