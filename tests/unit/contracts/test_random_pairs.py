"""No instance refutes a verdict on random schemas; `python -m tests.benchmarks.pairs` draws many more."""

from __future__ import annotations

from contracts.compatibility.verdict import NO_WITNESS
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
