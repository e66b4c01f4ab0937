"""`python -m tests.benchmarks.pairs`: random schema pairs, and any verdict that an instance refutes."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

import click
import jsonschema
import jsonschema_rs

from contracts.compatibility.verdict import NO_WITNESS, Verdict, decide
from tests.random_instances import valid_instances
from tests.random_schemas import Dialect, Drawing, edited

SAMPLES = 240
_FAST: dict[Dialect, Any] = {
    "draft-07": jsonschema_rs.Draft7Validator,
    "2020-12": jsonschema_rs.Draft202012Validator,
}
_SLOW: dict[Dialect, Any] = {
    "draft-07": jsonschema.Draft7Validator,
    "2020-12": jsonschema.Draft202012Validator,
}


def accepting(schema: Any, dialect: Dialect) -> Callable[[Any], bool]:
    """Whether `jsonschema-rs` accepts an instance; formats annotate."""
    accepts: Callable[[Any], bool] = _FAST[dialect](schema, validate_formats=False).is_valid
    return accepts


@dataclass(frozen=True, slots=True)
class Pair:
    """Two schemas drawn from one seed."""

    name: str
    dialect: Dialect
    old: Any
    new: Any

    def accepting(self, schema: Any) -> Callable[[Any], bool]:
        """Whether `jsonschema-rs` accepts an instance."""
        return accepting(schema, self.dialect)

    def is_witness(self, value: Any) -> bool:
        """Whether both validators accept it under the old schema and refuse it under the new one."""
        slow = _SLOW[self.dialect]
        return bool(
            self.accepting(self.old)(value)
            and not self.accepting(self.new)(value)
            and slow(self.old).is_valid(value)
            and not slow(self.new).is_valid(value)
        )


@dataclass(frozen=True, slots=True)
class Examined:
    """What was said of a pair, and what speaks against it."""

    pair: Pair
    verdict: Verdict
    milliseconds: float
    refutation: str | None = None
    counterexample: Any = NO_WITNESS

    def as_json(self) -> str:
        """The pair as a bug report."""
        said = {
            "id": self.pair.name,
            "dialect": self.pair.dialect,
            "old": self.pair.old,
            "new": self.pair.new,
            "verdict": self.verdict.answer,
            "reason": self.verdict.reason,
            "why": self.refutation,
        }
        if self.counterexample is not NO_WITNESS:
            said["counterexample"] = self.counterexample
        return json.dumps(said, ensure_ascii=False)


def pairs(seed: int, count: int) -> Iterator[Pair]:
    """The pairs of a seed: mostly a schema and an edit of it, some with nothing to do with each other."""
    for number in range(count):
        draw = random.Random(seed * 1_000_003 + number)
        dialect: Dialect = draw.choice(("2020-12", "2020-12", "draft-07"))
        drawing = Drawing(draw, dialect, draw.choice((None, "objects", "arrays", "scalars")))
        old = _satisfiable(drawing)
        related = draw.random() < 0.8
        new = edited(drawing, old, draw.choice((1, 1, 2, 3))) if related else drawing.document()
        if draw.random() < 0.3:
            old, new = new, old
        yield Pair(f"{seed}-{number}", dialect, old, new)


def _satisfiable(drawing: Drawing) -> Any:
    """A schema that sampling finds an instance of, nine times of ten."""
    while True:
        schema = drawing.document()
        accepts = accepting(schema, drawing.dialect)
        if drawing.draw.random() < 0.1 or any(
            True for _ in valid_instances(drawing.draw, schema, (), 30, accepts)
        ):
            return schema


def examine(pair: Pair, *, limit_seconds: float = 1.0, samples: int = SAMPLES) -> Examined:
    """Ask for a verdict and look for an instance that refutes it."""
    begun = perf_counter()
    verdict = decide(pair.old, pair.new, dialect=pair.dialect, limit_seconds=limit_seconds)
    milliseconds = (perf_counter() - begun) * 1000
    if verdict.answer == "incompatible":
        wrong = None if pair.is_witness(verdict.witness) else "the witness is none for both validators"
        return Examined(pair, verdict, milliseconds, wrong, verdict.witness)
    found = counterexample(pair, samples)
    refuted = found is not NO_WITNESS and verdict.answer == "compatible"
    wrong = "valid under old, not under new" if refuted else None
    return Examined(pair, verdict, milliseconds, wrong, found)


def counterexample(pair: Pair, samples: int = SAMPLES) -> Any:
    """An instance of old that is none of new, found by sampling alone, or `NO_WITNESS`."""
    accepts = pair.accepting(pair.new)
    values = valid_instances(
        random.Random(pair.name), pair.old, (pair.new,), samples, pair.accepting(pair.old)
    )
    return next((value for value in values if not accepts(value)), NO_WITNESS)


class Tally:
    """Counts over many pairs."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.undecided: Counter[str] = Counter()
        self.refuted: list[Examined] = []
        self.missed: list[Examined] = []
        self.milliseconds: list[float] = []

    def add(self, examined: Examined) -> None:
        """Count one."""
        self.answers[examined.verdict.answer] += 1
        self.milliseconds.append(examined.milliseconds)
        if examined.verdict.answer == "undecided":
            self.undecided[examined.verdict.reason] += 1
        if examined.refutation:
            self.refuted.append(examined)
        elif examined.verdict.answer == "undecided" and examined.counterexample is not NO_WITNESS:
            self.missed.append(examined)

    def write(self, out: TextIO) -> None:
        """Write the counts."""
        total = max(sum(self.answers.values()), 1)
        out.writelines(
            f"{answer}: {count} ({100 * count / total:.2f} %)\n"
            for answer, count in sorted(self.answers.items())
        )
        times = sorted(self.milliseconds)
        middle, late, last = (times[min(total * share // 100, total - 1)] for share in (50, 95, 100))
        out.write(f"ms a pair: p50 {middle:.1f}, p95 {late:.1f}, max {last:.1f}\n")
        out.write(f"undecided with a counterexample that sampling found: {len(self.missed)}\n")
        out.writelines(f"  {count:6}  {reason}\n" for reason, count in self.undecided.most_common(10))
        out.write(f"refuted: {len(self.refuted)}\n")


@click.command()
@click.option("--pairs", "count", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--refuted", "file", type=click.Path(path_type=Path), help="Append refuted pairs there as JSON lines."
)
def main(count: int, seed: int, file: Path | None) -> None:
    """Draw pairs, print the counts and every refuted verdict; exit code 1 if there is one."""
    tally = Tally()
    for pair in pairs(seed, count):
        examined = examine(pair)
        tally.add(examined)
        if examined.refutation:
            click.echo(examined.as_json())
            if file:
                with file.open("a", encoding="utf-8") as lines:
                    lines.write(examined.as_json() + "\n")
    tally.write(sys.stdout)
    sys.exit(1 if tally.refuted else 0)


if __name__ == "__main__":
    main()
