"""Whether one schema accepts all that another accepts: proved, refuted by a witness, or undecided.

A value of `old and not new` is searched for, type by type. That none exists is the proof. One that two
validators confirm is the witness. Otherwise the values that stand in the schemas are tried; if none of them
is a witness, the pair is undecided.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import thread_time
from typing import Any, Final, Literal, TypeAlias

from contracts.compatibility.containment.candidates import suggested
from contracts.compatibility.containment.formulas import FormulaBuilder
from contracts.compatibility.containment.nodes import TYPES, JsonType, Node, Space
from contracts.compatibility.containment.parts import node_of_value
from contracts.compatibility.containment.results import (
    ComparisonBudget,
    Empty,
    Found,
    NotUnderstoodError,
    OutOfTimeError,
    Unknown,
    Why,
)
from contracts.compatibility.containment.search import Search
from contracts.compatibility.containment.values import depth_of, is_modest
from contracts.compatibility.readings import held
from contracts.compatibility.witness import Judge
from contracts.paths import Step, pointer
from contracts.schema.dialect import DRAFTS, Schema, broken_keyword
from contracts.schema.references import Resolver, UnresolvableError
from contracts.schema.walk import patterns_of, subschemas

Answer: TypeAlias = Literal["compatible", "incompatible", "undecided"]
_Side: TypeAlias = tuple[Schema | bool, Mapping[str, Schema]]

_DIALECTS: Final[Mapping[str, int]] = {
    **{name: draft for draft in (4, 6, 7) for name in (f"draft-0{draft}", f"draft{draft}", f"draft-{draft}")},
    **{f"{prefix}{name}": int(name[:4]) for name in ("2019-09", "2020-12") for prefix in ("", "draft")},
    **DRAFTS,
}
_DEFAULT_DRAFT: Final = 2020
_SHARE_OF_SEARCH: Final = 0.75
_SHARE_OF_JUDGING: Final = 0.3
"""Of the limit, and on top of it: what the second validator may take for one pair."""
_LEAST_SECONDS: Final = 0.2
"""Of the limit, for a second look."""
_TRIES: Final = 4
_NAMES: Final = ("the old schema", "the new schema")
_FRAMES: Final = 5_000


class _NoWitness:
    """Marks a verdict without a witness; `None` cannot, as it is a JSON value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_WITNESS"


NO_WITNESS: Final = _NoWitness()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether every instance of the old schema is an instance of the new one.

    Attributes:
        answer: `compatible` is proved; `incompatible` has a witness; `undecided` says why it is neither.
        reason: One sentence. It names keywords and places, never data.
        witness: An instance of the old schema that the new one refuses, by two validators; or NO_WITNESS.
        old_path: JSON pointer to what the old schema says about the place, such as `#/properties/age`. An
            undecided verdict has paths where there would be a break if no reference led nowhere.
        new_path: JSON pointer to the keyword of the new schema that refuses the witness.
    """

    answer: Answer
    reason: str
    witness: Any = NO_WITNESS
    old_path: str | None = None
    new_path: str | None = None


def decide(
    old: Schema | bool,
    new: Schema | bool,
    *,
    dialect: str | None = None,
    old_references: Mapping[str, Schema] = {},
    new_references: Mapping[str, Schema] = {},
    assert_formats: bool = False,
    limit_seconds: float = 1.0,
) -> Verdict:
    """Whether every instance valid under `old` is valid under `new`. Fetches nothing, raises nothing.

    Args:
        old: The schema that instances were made for.
        new: The schema that they are to be read with.
        dialect: How to read a schema without a `$schema` of its own: its URI, or `draft-07` and the
            like; by default 2020-12.
        old_references: Further documents of the old schema, by URI.
        new_references: Further documents of the new schema, by URI.
        assert_formats: Whether the formats of `contracts.schema.formats` refuse; else all of them annotate.
        limit_seconds: When to give up, in seconds of processor time: a busy machine gives the same answer.
    """
    try:
        with _deep_enough():
            pair = _Pair(old, new, dialect, old_references, new_references, assert_formats=assert_formats)
            verdict = pair.verdict(limit_seconds)
            left = limit_seconds - pair.spent_seconds
            if verdict.answer != "undecided" or left < _LEAST_SECONDS or (sides := pair.held()) is None:
                return verdict
            # No validator can confirm what would be if no reference led nowhere: it is told, and no answer.
            (old, old_references), (new, new_references) = sides
            pair = _Pair(old, new, dialect, old_references, new_references, assert_formats=assert_formats)
            return _if_held(verdict, pair.verdict(left))
    except NotUnderstoodError as error:
        return Verdict("undecided", _sentence(str(error)))
    except UnresolvableError as error:
        return Verdict("undecided", _sentence(str(error)))
    except (RecursionError, MemoryError):
        return Verdict("undecided", "The schemas are too large or too deeply nested to be compared.")


@contextmanager
def _deep_enough() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class _Pair:
    def __init__(
        self,
        old: Schema | bool,
        new: Schema | bool,
        dialect: str | None,
        old_references: Mapping[str, Schema],
        new_references: Mapping[str, Schema],
        *,
        assert_formats: bool,
    ) -> None:
        self._started = thread_time()
        for schema in (old, new):
            if not isinstance(schema, bool | Mapping):
                raise NotUnderstoodError("a schema is neither an object nor a boolean")
        draft = _DEFAULT_DRAFT if dialect is None else _DIALECTS.get(dialect.removesuffix("#"))
        if draft is None:
            raise NotUnderstoodError("the dialect is not known")
        self.old, self.new = old, new
        self._draft = draft
        self._is_same = _is_same((old, old_references), (new, new_references))
        self._old_judge = Judge("the old schema", old, old_references, draft, assert_formats=assert_formats)
        self._new_judge = Judge("the new schema", new, new_references, draft, assert_formats=assert_formats)
        self._judging_seconds = 0.0
        self._budget = ComparisonBudget(thread_time, 1.0)
        self._space = Space(self._budget.spend)
        self._builder = FormulaBuilder(self._space, self._budget.spend, assert_formats=assert_formats)
        self._sides = ((old, old_references), (new, new_references))
        self._resolvers = [
            None if isinstance(schema, bool) else Resolver(schema, references, draft, strict=True)
            for schema, references in self._sides
        ]

    def verdict(self, limit_seconds: float) -> Verdict:
        for name, resolver in zip(_NAMES, self._resolvers, strict=True):
            if resolver is not None and (fault := _no_schema(resolver, name)):
                return Verdict("undecided", _sentence(fault))
        if self._is_same:
            return Verdict("compatible", "The schemas are the same.")
        budget = self._budget
        self._judging_seconds = limit_seconds * _SHARE_OF_JUDGING
        spent = thread_time() - self._started
        budget.extend(max(limit_seconds * _SHARE_OF_SEARCH - spent, limit_seconds * (1 - _SHARE_OF_SEARCH)))
        search = Search(self._builder, budget)
        try:
            old, new = self._node(0), self._node(1)
            verdict = self._searched(search, old, self._space.negate(new))
        except OutOfTimeError:
            verdict = Verdict("undecided", f"No answer within {limit_seconds:g} s.")
        for name, resolver in zip(_NAMES, self._resolvers, strict=True):
            if resolver is not None and (fault := _no_schema(resolver, name)):
                return Verdict("undecided", _sentence(fault))
        if verdict.answer == "undecided" and self._builder.evaluation_count.circle() is None:
            budget.extend(limit_seconds * (1 - _SHARE_OF_SEARCH))
            return self._suggested(search, budget) or verdict
        return verdict

    def held(self) -> tuple[_Side, _Side] | None:
        """Both sides with each reference that leads nowhere taken to hold; None where there is none."""
        found = [
            None if isinstance(schema, bool) else held(schema, references, self._draft)
            for schema, references in self._sides
        ]
        if found == [None, None]:
            return None
        old, new = (each or side for each, side in zip(found, self._sides, strict=True))
        return old, new

    @property
    def spent_seconds(self) -> float:
        """Processor time, since the schemas were first read."""
        return thread_time() - self._started

    def _node(self, side: int) -> Node:
        schema, resolver = self._sides[side][0], self._resolvers[side]
        if resolver is None:
            return self._space.true if schema else self._space.false
        return self._builder.root(resolver, _NAMES[side])

    def _searched(self, search: Search, old: Node, not_new: Node) -> Verdict:
        goal = self._space.all_of((old, not_new))
        doubt: Why | None = None
        for of in TYPES:
            result = self._of_type(search, goal, of)
            if isinstance(result, Verdict):
                return result
            doubt = doubt or result
        if doubt is not None:
            circle = self._builder.evaluation_count.circle()
            why = self._told(doubt) if circle is None else self._builder.circular_at(circle)
            return Verdict("undecided", _sentence(why))
        return Verdict("compatible", self._proof())

    def _told(self, why: Why) -> str:
        """What stands in the way, and where."""
        if isinstance(why, str):
            return why
        for name, (schema, references) in zip(_NAMES, self._sides, strict=True):
            for uri, document in (("", schema), *references.items()):
                for placed in subschemas(document):
                    for steps, pattern in patterns_of(*placed):
                        if pattern == why.pattern:
                            place = f"{uri}{pointer(steps)} of {name}"
                            return f"the pattern `{pattern[:200]}`, {why.why}, at {place}"
        return f"the pattern `{why.pattern[:200]}`, {why.why}"

    def _of_type(self, search: Search, goal: Node, of: JsonType) -> Verdict | Why | None:
        """A verdict with a witness, what stood in the way, or None for a proof."""
        unconfirmed: Why | None = None
        for _ in range(_TRIES):
            result = search.solve_type(goal, of)
            match result:
                case Empty():
                    return unconfirmed
                case Unknown(why):
                    return why
                case Found(value):
                    judged = self._judged(value)
                    if isinstance(judged, Verdict) or not is_modest(value):
                        return judged
                    unconfirmed = unconfirmed or judged
                    goal = self._space.all_of((goal, self._space.negate(node_of_value(self._space, value))))
        return unconfirmed

    def _judged(self, value: Any) -> Verdict | str:
        """The verdict with this witness, or why it is none."""
        count = self._builder.evaluation_count
        if not is_modest(value):
            return "an instance too large to be shown"
        if (circle := count.circle()) is not None:
            return self._builder.circular_at(circle)
        if not count.is_affordable(depth_of(value)):
            return "an instance that takes a validator too many steps"
        for judge, valid in ((self._old_judge, True), (self._new_judge, False)):
            started = thread_time()
            doubt = judge.doubt(value, valid=valid, limit_seconds=self._judging_seconds)
            self._judging_seconds -= thread_time() - started
            if doubt is not None:
                return doubt
        refusal = self._new_judge.refused_at(value)
        steps, way = refusal if refusal is not None else ([], [])
        steps = steps if _is_there(self.new, steps) else []
        new_path, old_path = pointer(steps), _counterpart(self.old, steps, way)
        keyword = f"`{steps[-1]}`" if steps else "The new schema"
        reason = f"{keyword} at {new_path} refuses an instance that the old schema allows."
        return Verdict("incompatible", reason, value, old_path, new_path)

    def _suggested(self, search: Search, budget: ComparisonBudget) -> Verdict | None:
        """A witness among the values in the schemas, and some instances of the old one."""
        try:
            for value in suggested((self.old, self.new), search, self._node(0)):
                budget.spend()
                if not is_modest(value) or not self._builder.evaluation_count.is_affordable(depth_of(value)):
                    continue
                differs = self._old_judge.finds(value) and self._new_judge.finds(value) is False
                if differs and isinstance(judged := self._judged(value), Verdict):
                    return judged
        except (OutOfTimeError, NotUnderstoodError, UnresolvableError):
            return None
        return None

    def _proof(self) -> str:
        text = "Every instance of the old schema is one of the new schema."
        if not (names := sorted(self._builder.annotations)[:5]):
            return text
        return f"{text} Taken as annotations: {', '.join(f'`{name}`' for name in names)}."


def _no_schema(resolver: Resolver, name: str) -> str | None:
    """Where the schema, or a document that it refers to, is no schema under its dialect; None if all are."""
    for uri, document, draft in resolver.documents():
        if fault := broken_keyword(document, draft):
            steps, keyword = fault
            place = f"{uri}{pointer(steps)} of {name}"
            return f"what is no schema under its dialect, by `{keyword}` of the meta-schema, at {place}"
    return None


def _if_held(verdict: Verdict, other: Verdict) -> Verdict:
    """What is undecided for a reference that leads nowhere, with what is the case where it would hold."""
    if other.answer == "undecided":
        return verdict
    what = f"{other.reason[0].lower()}{other.reason[1:]}"
    reason = f"{verdict.reason.rstrip('.')}; where each reference that leads nowhere would hold, {what}"
    return Verdict("undecided", reason, old_path=other.old_path, new_path=other.new_path)


def _is_same(one: Any, other: Any) -> bool:
    """Whether the texts would be the same; to Python alone, `false` and 0 are equal."""
    return bool(one == other) and _text(one) == _text(other)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def _sentence(reason: str) -> str:
    return f"Not decided: {reason}."


def _is_there(schema: Any, steps: list[Step]) -> bool:
    """Whether the steps lead somewhere in the schema."""
    return len(_walked(schema, steps)) == len(steps)


def _counterpart(old: Any, steps: list[Step], way: list[Step]) -> str:
    """Where the old schema describes the place: at the same steps, or for the same part of the data."""
    same = _walked(old, steps)
    return pointer(same or _along(old, way))


def _walked(schema: Any, steps: list[Step]) -> list[Step]:
    here, walked = schema, []
    for step in steps:
        if isinstance(here, Mapping) and step in here:
            here = here[step]
        elif isinstance(here, list) and str(step).isdigit() and int(step) < len(here):
            here = here[int(step)]
        else:
            break
        walked.append(step)
    return walked


def _along(schema: Any, way: list[Step]) -> list[Step]:
    here, steps = schema, list[Step]()
    for step in way:
        ways: list[list[Step]] = [["properties", step], ["additionalProperties"]]
        if isinstance(step, int):
            ways = [["prefixItems", step], ["items", step], ["items"]]
        found = next((one for one in ways if len(_walked(here, one)) == len(one)), None)
        if found is None:
            break
        for part in found:
            here = here[int(part) if isinstance(here, list) else part]
        steps.extend(found)
    return steps
