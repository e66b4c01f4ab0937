"""A second validator, jsonschema: slow and independent, for comparison and lint alone; events never meet it.

Lint refuses a contract where the two validators differ. jsonschema takes long to load.

It runs in this process, under a limit: every keyword it applies looks at the clock, and patterns are matched
by `contracts.patterns.matching`, which stops by itself. What it cannot read (a reference that leads nowhere,
a pattern that takes too long) only counts where the data meets it: the answer must then be the same whichever
way the part would have decided.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from time import thread_time
from typing import Any, Final

import jsonschema
from jsonschema_specifications import REGISTRY as SPECIFICATIONS  # type: ignore[import-untyped] # it has no types
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012

from contracts.paths import pointer
from contracts.patterns.errors import PatternError, SlowPatternError
from contracts.patterns.matching import MATCH_SECONDS, finds
from contracts.patterns.safety import backtracking_risk
from contracts.schema.dialect import DRAFTS, Schema, by_id, dialect_of
from contracts.schema.formats import ASSERTED
from contracts.schema.json_values import NOT_JSON, unshared
from contracts.schema.references import REFERENCES
from contracts.schema.walk import is_mapping, subschemas

LIMIT_SECONDS: Final = 0.3
"""Processor time for one answer."""
_MOST_WAYS: Final = 64
_STEPS_BETWEEN_LOOKS: Final = 20
_KINDS: Final = {
    4: (jsonschema.Draft4Validator, DRAFT4),
    6: (jsonschema.Draft6Validator, DRAFT6),
    7: (jsonschema.Draft7Validator, DRAFT7),
    2019: (jsonschema.Draft201909Validator, DRAFT201909),
    2020: (jsonschema.Draft202012Validator, DRAFT202012),
}
_FAULTS: Final = (*NOT_JSON, Unresolvable, jsonschema.SchemaError, re.error, AttributeError, KeyError)
_Keyword = Callable[[Any, Any, Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a validator from an answer.

    Attributes:
        what: The keyword and what it says, such as `` `$ref` `place.json` ``; or a short clause.
        place: JSON pointer to the keyword, such as `#/properties/place/$ref`; `#` is the whole schema.
        why: What is wrong with it.
        is_slow: Whether it is only a matter of time.
    """

    what: str
    place: str
    why: str
    is_slow: bool = False

    def told(self, of: str = "") -> str:
        """One clause: `` `$ref` `place.json`, which leads nowhere, at #/items/$ref of the new schema ``.

        Args:
            of: Which schema it stands in, such as `the new schema`.
        """
        return f"{self.what}, {self.why}, at {self.place}{of and f' of {of}'}"


class _OutOfTimeError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Unread:
    """A keyword that an evaluation met and could not read."""

    schema: Any
    keyword: str
    why: str
    is_slow: bool = False


class _Run:
    """One answer: the time left, and how each part that cannot be read is taken to decide.

    Attributes:
        ways: How the parts decide, in the order in which they are met.
        met: What was met of them by the evaluation that goes on.
        patterns: The patterns that were met.
        unread_name: A pattern of names that could not be matched, and whether it was slow.
    """

    def __init__(self, end: float, *, as_python: bool) -> None:
        self.ways: list[bool] = []
        self.met: list[_Unread] = []
        self.patterns: set[str] = set()
        self.unread_name: tuple[str, bool] | None = None
        self._as_python = as_python
        self._slow: set[tuple[str, str]] = set()
        self._end = end
        self._until_look = 0

    def spend(self) -> None:
        self._until_look -= 1
        if self._until_look < 0:
            self._until_look = _STEPS_BETWEEN_LOOKS
            if thread_time() > self._end:
                raise _OutOfTimeError

    def taken(self, unread: _Unread) -> bool:
        """How a part that cannot be read decides this time: known by the order in which they are met."""
        self.met.append(unread)
        if len(self.met) > len(self.ways):
            self.ways.append(True)
        return self.ways[len(self.met) - 1]

    def match(self, pattern: str, text: str) -> bool:
        """Whether the pattern matches somewhere in the text; raises PatternError where that is not known."""
        self.spend()
        self.patterns.add(pattern)
        if self._as_python and (own := _of_python(pattern)) is not None:
            return own.search(text) is not None
        if (pattern, text) in self._slow:
            raise SlowPatternError
        try:
            return finds(pattern, text, min(MATCH_SECONDS, self._end - thread_time()))
        except SlowPatternError:
            self._slow.add((pattern, text))
            raise

    def finds(self, pattern: str, text: str, schema: Any, keyword: str) -> bool:
        """The same; taken in some way where it is not known."""
        try:
            return self.match(pattern, text)
        except SlowPatternError:
            why = "on which jsonschema takes too long"
            return self.taken(_Unread(schema, keyword, why, is_slow=True))
        except PatternError:
            return self.taken(_Unread(schema, keyword, "which jsonschema cannot read"))


@lru_cache(maxsize=2048)
def _of_python(pattern: str) -> re.Pattern[str] | None:
    """The pattern as Python reads it; None where it cannot, or might never end."""
    if backtracking_risk(pattern):
        return None
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return None


_RUN: ContextVar[_Run] = ContextVar("run")


def _format_checker() -> jsonschema.FormatChecker:
    checker = jsonschema.FormatChecker(formats=())
    for name, holds in ASSERTED.items():
        checker.checks(name)(lambda value, holds=holds: not isinstance(value, str) or holds(value))
    return checker


_FORMAT_CHECKER: Final = _format_checker()


def _refused() -> Iterator[jsonschema.ValidationError]:
    yield jsonschema.ValidationError("")


def _counted(keyword: _Keyword) -> _Keyword:
    def counted(validator: Any, value: Any, data: Any, schema: Any) -> Any:
        _RUN.get().spend()
        return keyword(validator, value, data, schema)

    return counted


def _followed(name: str, keyword: _Keyword) -> _Keyword:
    def followed(validator: Any, value: Any, data: Any, schema: Any) -> Iterator[Any]:
        try:
            yield from keyword(validator, value, data, schema)
        except Unresolvable:
            if not _RUN.get().taken(_Unread(schema, name, "which leads nowhere")):
                yield from _refused()

    return followed


def _pattern(validator: Any, pattern: str, text: Any, schema: Any) -> Iterator[Any]:
    if validator.is_type(text, "string") and not _RUN.get().finds(pattern, text, schema, "pattern"):
        yield from _refused()


def _named_by(name: str, pattern: str, schema: Any) -> bool:
    return _RUN.get().finds(pattern, name, schema, f"patternProperties/{pattern}")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], data: Any, schema: Any) -> Iterator[Any]:
    for pattern, inner in patterns.items() if validator.is_type(data, "object") else ():
        for name, value in data.items():
            if _named_by(name, pattern, schema):
                yield from validator.descend(value, inner)


def _additional_properties(validator: Any, inner: Any, data: Any, schema: Any) -> Iterator[Any]:
    declared, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in data.items() if validator.is_type(data, "object") else ():
        if name not in declared and not any(_named_by(name, pattern, schema) for pattern in patterns):
            yield from validator.descend(value, inner)


def _unevaluated_properties(keyword: _Keyword) -> _Keyword:
    def unevaluated(validator: Any, value: Any, data: Any, schema: Any) -> Iterator[Any]:
        run = _RUN.get()
        if run.unread_name is None:
            yield from keyword(validator, value, data, schema)
            return
        pattern, is_slow = run.unread_name
        why = f"beside the pattern `{pattern[:200]}`, {'too slow' if is_slow else 'odd'} for jsonschema"
        if not run.taken(_Unread(schema, "unevaluatedProperties", why, is_slow)):
            yield from _refused()

    return unevaluated


@cache
def _careful(draft: int) -> Any:
    """The class of a draft, with limits; it takes milliseconds to make."""
    kind = _KINDS[draft][0]
    own = {name: _counted(keyword) for name, keyword in kind.VALIDATORS.items()}
    own |= {name: _followed(name, own[name]) for name in REFERENCES if name in own}
    own |= {"pattern": _pattern, "additionalProperties": _counted(_additional_properties)}
    own["patternProperties"] = _counted(_pattern_properties)
    if "unevaluatedProperties" in own:
        own["unevaluatedProperties"] = _unevaluated_properties(own["unevaluatedProperties"])
    made: Any = jsonschema.validators.extend(kind, own)  # type: ignore[no-untyped-call] # it has no types
    fields = [(field.alias, field.name) for field in made.__attrs_attrs__ if field.init]

    def evolved(validator: Any, **changes: Any) -> Any:
        # jsonschema's own takes the class that it knows for a `$schema`, which has no limits.
        schema = changes.setdefault("schema", validator.schema)
        named = schema.get("$schema") if is_mapping(schema) else None
        other = DRAFTS.get(named.removesuffix("#"), draft) if isinstance(named, str) else draft
        same = {alias: getattr(validator, name) for alias, name in fields if alias not in changes}
        return (made if other == draft else _careful(other))(**same, **changes)

    made.evolve = evolved
    return made


class ReferenceValidator:
    """One schema in jsonschema. Fetches nothing.

    Args:
        schema: The schema.
        references: Further documents by URI.
        draft: One of the values of `DRAFTS`, for the schema and each document without a `$schema`.
        assert_formats: Whether the five formats of `contracts.schema.formats` are asserted.
        as_python: Whether patterns are those of Python where it can read them, as in jsonschema by itself;
            else ECMA-262, as in JSON Schema.
    """

    def __init__(
        self,
        schema: Schema | bool,
        references: Mapping[str, Schema],
        draft: int,
        *,
        assert_formats: bool,
        as_python: bool = False,
    ) -> None:
        self._as_python = as_python
        self._documents: Mapping[str, Any] = {"": schema, **references}
        self._shown: Mapping[str, Any] = self._documents
        self._draft = draft
        self._formats = assert_formats
        self.met: frozenset[str] = frozenset()
        """The patterns that the last data met."""

    def _validator(self, documents: Mapping[str, Any]) -> Any:
        specification = _KINDS[self._draft][1]
        specifications: Registry[Any] = SPECIFICATIONS
        registry = specifications.with_resources(
            (uri, Resource.from_contents(document, default_specification=specification))
            for uri, document in documents.items()
            if uri
        )
        checker = _FORMAT_CHECKER if self._formats else None
        return _careful(self._draft)(documents[""], registry=registry, format_checker=checker)

    @cached_property
    def _of_all_data(self) -> Any:
        return self._validator(self._documents)

    @cached_property
    def _matches_names(self) -> bool:
        """Whether jsonschema matches patterns of names itself, by `re`: for `unevaluatedProperties`."""
        nodes = [node for document in self._documents.values() for _, node in subschemas(document)]
        return all(
            any(word in node for node in nodes) for word in ("unevaluatedProperties", "patternProperties")
        )

    def _of_data(self, data: Any, run: _Run) -> Any:
        """The validator of data: patterns of names that jsonschema matches itself become those names."""
        if not self._matches_names:
            return self._of_all_data
        names = sorted(_names_in(data))
        shown = {uri: unshared(document) for uri, document in self._documents.items()}
        for document in shown.values():
            for _, node in subschemas(document):
                if isinstance(patterns := node.get("patternProperties"), dict):
                    items = list(patterns.items())
                    patterns.clear()
                    for index, (pattern, inner) in enumerate(items):
                        patterns[_as_names(pattern, names, index, run)] = inner
        self._shown = shown
        return self._validator(shown)

    def judged(self, data: Any, *, limit_seconds: float = LIMIT_SECONDS) -> bool | Obstacle:
        """Whether the data is valid, or what stands in the way.

        Args:
            data: What JSON can hold.
            limit_seconds: When to give up, in seconds of processor time.
        """
        run = _Run(thread_time() + limit_seconds, as_python=self._as_python)
        self._shown = self._documents
        answer: bool | None = None
        for _ in range(_MOST_WAYS):
            changed = len(run.ways) - 1
            run.met.clear()
            found = self._found(run, data)
            self.met = frozenset(run.patterns)
            if isinstance(found, Obstacle):
                return found
            if answer is not None and answer is not found:
                return self._named(run.met[changed])
            answer = found
            while run.ways and not run.ways[-1]:
                run.ways.pop()
            if not run.ways:
                return found
            run.ways[-1] = False
        return self._named(run.met[-1])

    def _found(self, run: _Run, data: Any) -> bool | Obstacle:
        token = _RUN.set(run)
        try:
            return bool(self._of_data(data, run).is_valid(data))
        except _OutOfTimeError:
            return Obstacle("the schema", "#", "on which jsonschema takes too long", is_slow=True)
        except RecursionError:
            return Obstacle("the schema", "#", "in which jsonschema finds no end")
        except _FAULTS as error:
            return Obstacle("the schema", "#", f"which jsonschema cannot follow ({type(error).__name__})")
        finally:
            _RUN.reset(token)

    def _named(self, unread: _Unread) -> Obstacle:
        word, _, name = unread.keyword.partition("/")
        said = name or unread.schema.get(word)
        text = f"`{word}` `{said[:200]}`" if isinstance(said, str) else f"`{word}`"
        inside = (
            (uri, steps)
            for uri, document in self._shown.items()
            for steps, node in subschemas(document)
            if node is unread.schema
        )
        uri, steps = next(inside, ("", None))
        place = "#" if steps is None else uri + pointer([*steps, word, *([name] if name else ())])
        return Obstacle(text, place, unread.why, unread.is_slow)


def _names_in(data: Any) -> set[str]:
    """The names of properties in the data."""
    names: set[str] = set()
    rest = [data]
    while rest:
        value = rest.pop()
        if isinstance(value, Mapping):
            names.update(value)
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)
    return names


def _as_names(pattern: str, names: list[str], index: int, run: _Run) -> str:
    """A pattern of those names that the pattern matches; itself where that is not known."""
    try:
        matched = [name for name in names if run.match(pattern, name)]
    except PatternError as error:
        run.unread_name = (pattern, isinstance(error, SlowPatternError))
        return pattern
    listed = "|".join(map(re.escape, matched)) if matched else "(?!)"
    return f"^(?:{listed})(?![\\s\\S])(?:){{{index}}}"


def reference_validator(
    schema: Schema, references: Mapping[str, Schema], *, assert_formats: bool
) -> ReferenceValidator:
    """The second validator of a contract's schema, with the patterns of Python: agencies use such validators.

    Raises:
        SchemaUnusableError: The dialect is unknown.
    """
    documents, draft = by_id(schema, references), DRAFTS[dialect_of(schema)]
    return ReferenceValidator(schema, documents, draft, assert_formats=assert_formats, as_python=True)
