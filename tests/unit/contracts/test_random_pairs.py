"""No instance refutes a verdict on random schemas; `python -m tests.benchmarks.pairs` draws many more."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import jsonschema_rs

from contracts.compatibility.verdict import NO_WITNESS, decide
from contracts.schema.json_values import unshared
from contracts.schema.walk import children
from tests.benchmarks.pairs import Tally, counterexample, examine, pairs
from tests.random_schemas import same

PATIENCE_SECONDS = 30.0


def test_no_instance_refutes_a_verdict() -> None:
    """Compatible: every instance of old that is found is one of new. Incompatible: the witness holds."""
    tally = Tally()
    for pair in pairs(seed=2026, count=300):
        tally.add(examine(pair, limit_seconds=PATIENCE_SECONDS, samples=100))
    assert [examined.as_json() for examined in tally.refuted] == []
    assert tally.answers["compatible"] > 60
    assert tally.answers["incompatible"] > 60


GONE = "https://contracts.example/gone"
SUBSTITUTES: tuple[dict[str, Any], ...] = (
    {},
    {"not": {}},
    {"type": ["object", "integer"]},
    {"minimum": 3, "maxLength": 1},
    {"not": {"type": "null"}},
    {"const": 1},
)
COMPILED: dict[str, Any] = {
    "draft-07": (jsonschema_rs.Draft7Validator, jsonschema_rs.Draft7),
    "2020-12": (jsonschema_rs.Draft202012Validator, jsonschema_rs.Draft202012),
}


def broken(schema: Any, seed: int) -> Any:
    """The schema, some of whose parts are references that lead nowhere."""
    copy, draw = unshared(schema), random.Random(seed)
    waiting: list[Any] = [copy] if isinstance(copy, dict) else []
    while waiting:
        node: Any = waiting.pop()
        for (keyword, *steps), child in list(children(node)):
            holder = node[keyword] if steps else node
            if draw.random() < 0.12 and keyword != "$defs":
                holder[steps[-1] if steps else keyword] = {"$ref": GONE}
            else:
                waiting.append(child)
    return copy


def test_a_verdict_holds_whatever_a_reference_that_leads_nowhere_says() -> None:
    """Each verdict on two schemas with such references is held against schemas in their place."""
    answers: Counter[str] = Counter()
    for number, pair in enumerate(pairs(seed=5, count=150)):
        old, new = broken(pair.old, number), broken(pair.new, number + number % 2)
        verdict = decide(old, new, dialect=pair.dialect, limit_seconds=PATIENCE_SECONDS)
        if GONE not in json.dumps([old, new]):
            continue
        answers[verdict.answer] += 1
        for substitute in SUBSTITUTES:
            kind, draft = COMPILED[pair.dialect]
            registry = jsonschema_rs.Registry([(GONE, substitute)], draft=draft)
            if verdict.answer == "incompatible":
                accepts = [kind(each, registry=registry).is_valid(verdict.witness) for each in (old, new)]
                assert accepts == [True, False], (pair.name, substitute)
            elif verdict.answer == "compatible":
                known = {GONE: substitute}
                again = decide(old, new, dialect=pair.dialect, old_references=known, new_references=known)
                assert again.answer != "incompatible", (pair.name, substitute)
    assert min(answers["compatible"], answers["incompatible"]) >= 10


def test_sampling_finds_most_breaks() -> None:
    """A tester that finds nothing proves nothing: it is held against the verdicts that have a witness."""
    drawn = [examine(pair, limit_seconds=PATIENCE_SECONDS, samples=1) for pair in pairs(seed=7, count=100)]
    broken = [examined.pair for examined in drawn if examined.verdict.answer == "incompatible"]
    found = [pair for pair in broken if counterexample(pair) is not NO_WITNESS]
    assert len(found) >= 0.8 * len(broken) > 15


def test_values_compare_as_json() -> None:
    """A number is its value, `true` is no number."""
    assert same([1, {"a": 2.0}], [1.0, {"a": 2}])
    assert not same(True, 1)
    assert not same({"a": 1}, {"a": 1, "b": 1})
