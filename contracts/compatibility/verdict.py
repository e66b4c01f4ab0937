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
)
from contracts.compatibility.containment.search import SELF, Search
from contracts.compatibility.containment.values import depth_of, is_modest
from contracts.compatibility.witness import Judge
from contracts.paths import Step, pointer
from contracts.schema.dialect import DRAFTS, Schema
from contracts.schema.references import Resolver, UnresolvableError

Answer: TypeAlias = Literal["compatible", "incompatible", "undecided"]

_DIALECTS: Final[Mapping[str, int]] = {
    **{name: draft for draft in (4, 6, 7) for name in (f"draft-0{draft}", f"draft{draft}", f"draft-{draft}")},
    **{f"{prefix}{name}": int(name[:4]) for name in ("2019-09", "2020-12") for prefix in ("", "draft")},
    **DRAFTS,
}
_DEFAULT_DRAFT: Final = 2020
_SHARE_OF_SEARCH: Final = 0.75
_TRIES: Final = 4
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
        old_path: JSON pointer to what the old schema says about the place, such as `#/properties/age`.
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
            return pair.verdict(limit_seconds)
    except (NotUnderstoodError, UnresolvableError) as error:
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
        for schema in (old, new):
            if not isinstance(schema, bool | Mapping):
                raise NotUnderstoodError("a schema is neither an object nor a boolean")
        draft = _DEFAULT_DRAFT if dialect is None else _DIALECTS.get(dialect.removesuffix("#"))
        if draft is None:
            raise NotUnderstoodError("the dialect is not known")
        self.old, self.new = old, new
        self._is_same = _is_same((old, old_references), (new, new_references))
        self._old_judge = Judge(old, old_references, draft, assert_formats=assert_formats)
        self._new_judge = Judge(new, new_references, draft, assert_formats=assert_formats)
        self._space = Space()
        self._budget = ComparisonBudget(thread_time, 0)
        self._builder = FormulaBuilder(self._space, self._budget.spend, assert_formats=assert_formats)
        self._sides = ((old, old_references), (new, new_references))
        self._draft = draft

    def verdict(self, limit_seconds: float) -> Verdict:
        if self._is_same:
            return Verdict("compatible", "The schemas are the same.")
        budget = self._budget
        budget.extend(limit_seconds * _SHARE_OF_SEARCH)
        search = Search(self._builder, budget)
        try:
            old, new = (self._node(*side) for side in self._sides)
            verdict = self._searched(search, old, self._space.negate(new))
        except OutOfTimeError:
            verdict = Verdict("undecided", f"No answer within {limit_seconds:g} s.")
        if verdict.answer == "undecided" and not self._builder.evaluation_count.is_circular():
            budget.extend(limit_seconds * (1 - _SHARE_OF_SEARCH))
            return self._suggested(search, budget) or verdict
        return verdict

    def _node(self, schema: Schema | bool, references: Mapping[str, Schema]) -> Node:
        if isinstance(schema, bool):
            return self._space.true if schema else self._space.false
        return self._builder.of(Resolver(schema, references, self._draft, strict=True).root)

    def _searched(self, search: Search, old: Node, not_new: Node) -> Verdict:
        goal = self._space.all_of((old, not_new))
        doubt: str | None = None
        for of in TYPES:
            result = self._of_type(search, goal, of)
            if isinstance(result, Verdict):
                return result
            doubt = doubt or result
        if doubt is not None:
            return Verdict(
                "undecided", _sentence(SELF if self._builder.evaluation_count.is_circular() else doubt)
            )
        return Verdict("compatible", self._proof())

    def _of_type(self, search: Search, goal: Node, of: JsonType) -> Verdict | str | None:
        """A verdict with a witness, what stood in the way, or None for a proof."""
        unconfirmed: str | None = None
        for _ in range(_TRIES):
            result = search.solve_type(goal, of)
            match result:
                case Empty():
                    return unconfirmed
                case Unknown(why):
                    return why
                case Found(value):
                    if (verdict := self._confirmed(value)) is not None:
                        return verdict
                    if not is_modest(value):
                        return "an instance too large to be shown"
                    unconfirmed = "an instance on which two validators do not agree"
                    goal = self._space.all_of((goal, self._space.negate(node_of_value(self._space, value))))
        return unconfirmed

    def _confirmed(self, value: Any) -> Verdict | None:
        count = self._builder.evaluation_count
        if not is_modest(value) or count.is_circular() or not count.is_affordable(depth_of(value)):
            return None
        if not (
            self._old_judge.agree_that_it_is(True, value) and self._new_judge.agree_that_it_is(False, value)
        ):
            return None
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
            for value in suggested((self.old, self.new), search, self._node(*self._sides[0])):
                budget.spend()
                if not is_modest(value) or not self._builder.evaluation_count.is_affordable(depth_of(value)):
                    continue
                differs = self._old_judge.finds(value) and self._new_judge.finds(value) is False
                if differs and (verdict := self._confirmed(value)) is not None:
                    return verdict
        except (OutOfTimeError, NotUnderstoodError, UnresolvableError):
            return None
        return None

    def _proof(self) -> str:
        text = "Every instance of the old schema is one of the new schema."
        if not (names := sorted(self._builder.annotations)[:5]):
            return text
        return f"{text} Taken as annotations: {', '.join(f'`{name}`' for name in names)}."


def _is_same(one: Any, other: Any) -> bool:
    """Whether the texts would be the same; to Python alone, `false` and 0 are equal."""
    return bool(one == other) and _text(one) == _text(other)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def _sentence(reason: str) -> str:
    return f"Not decided because of {reason}."


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
