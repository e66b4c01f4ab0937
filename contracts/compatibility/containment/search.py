"""The search for a value of a formula, and the proof that there is none.

Type by type. What must hold is gathered; the theory of the type finds a value for it or excludes one. A
value that fails some `or` says which to split next, so most are never split.

Schemas that refer to themselves end by induction: a goal met again inside a value of the same goal is taken
to have none. A value is finite; were there any for the goals so excluded, a smallest one would hold a
smaller one. What was excluded on the strength of a goal still open is forgotten if that goal turns out to
have a value.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.compatibility.containment.arrays import find_array
from contracts.compatibility.containment.evaluation import Evaluator
from contracts.compatibility.containment.formulas import FormulaBuilder
from contracts.compatibility.containment.nodes import TYPES, Constraint, JsonType, Node, Space
from contracts.compatibility.containment.numbers import find_number
from contracts.compatibility.containment.objects import find_object
from contracts.compatibility.containment.results import (
    EMPTY,
    MAX_FORMULAS,
    ComparisonBudget,
    Empty,
    Found,
    NotUnderstoodError,
    OutOfTimeError,
    Result,
    Unknown,
)
from contracts.compatibility.containment.strings import find_string


class Search:
    """Solves goals; remembers what it found."""

    def __init__(self, builder: FormulaBuilder, budget: ComparisonBudget) -> None:
        self.space: Space = builder.space
        self._builder = builder
        self._budget = budget
        self._evaluator = Evaluator(builder.read, self.spend)
        self._results: dict[int, Result] = {}
        self._leaning: dict[int, set[int]] = {}
        self._open: dict[int, set[int]] = {}
        self._restricted: dict[tuple[int, JsonType], Node] = {}
        self._expanding: set[int] = set()

    def spend(self) -> None:
        """Take a step of the budget."""
        if len(self.space) > MAX_FORMULAS:
            raise OutOfTimeError
        self._budget.spend()

    def holds(self, node: Node, value: object) -> bool | None:
        """Whether the value satisfies the formula, where that is known."""
        return self._evaluator.holds(node, value)

    def restricted_text(self, node: Node) -> Node:
        """What the formula says about strings."""
        return self.restricted(node, "string")

    def solve(self, goal: Node) -> Result:
        """A value for the goal, of any type."""
        number = goal.number
        known = self._results.get(number)
        if known is not None:
            return known
        if number in self._open:
            self._lean_on({number})
            return EMPTY
        if number in self._leaning:
            self._lean_on(self._leaning[number])
            return EMPTY
        self._open[number] = set()
        try:
            result = self._solve_types(goal)
        finally:
            leaned = self._open.pop(number)
        self._close(number, result, leaned - {number})
        return result

    def _lean_on(self, goals: set[int]) -> None:
        if self._open:
            next(reversed(self._open.values())).update(goals)

    def _close(self, number: int, result: Result, leaned: set[int]) -> None:
        """Keep the result; pass on what it leans on to the goal it was for."""
        if not isinstance(result, Found):
            self._lean_on(leaned)
        if leaned and isinstance(result, Empty):
            self._leaning[number] = leaned
        else:
            self._results[number] = result
        for other, reasons in list(self._leaning.items()):
            if number in reasons and other != number:
                if isinstance(result, Empty):
                    reasons.update(leaned)
                    reasons.discard(number)
                    if not reasons:
                        self._results[other] = EMPTY
                        del self._leaning[other]
                else:
                    del self._leaning[other]

    def _solve_types(self, goal: Node) -> Result:
        doubt: Result = EMPTY
        for of in TYPES:
            result = self.solve_type(goal, of)
            if isinstance(result, Found):
                return result
            doubt = result if isinstance(result, Unknown) else doubt
        return doubt

    def solve_type(self, goal: Node, of: JsonType) -> Result:
        """A value of one type for the goal."""
        node = self.restricted(goal, of)
        if node is self.space.false:
            return EMPTY
        state = _State(self.space)
        return self._search(of, state) if state.take([node]) else EMPTY

    def _search(self, of: JsonType, state: _State) -> Result:
        self.spend()
        if not state.propagate():
            return EMPTY
        try:
            result = self._theory(of, state.constraints())
        except NotUnderstoodError as error:
            result = Unknown(error.why)
        if isinstance(result, Empty):
            return EMPTY
        clause = next(iter(state.clauses), None)
        if isinstance(result, Found):
            truths = [(self._evaluator.holds(one, result.value), one) for one in state.clauses]
            clause = next((one for truth, one in truths if truth is not True), None)
        if clause is None:
            if state.opaque is not None and isinstance(result, Found):
                return Unknown(self.space.why(state.opaque))
            return result
        return self._split(of, state, clause)

    def _split(self, of: JsonType, state: _State, clause: Node) -> Result:
        doubt: Result = EMPTY
        for part in clause.args:
            further = state.copy_without(clause)
            if not further.take([part]):
                continue
            result = self._search(of, further)
            if isinstance(result, Found):
                return result
            doubt = result if isinstance(result, Unknown) else doubt
        return doubt

    def _theory(self, of: JsonType, constraints: list[Constraint]) -> Result:
        match of:
            case "null":
                return Found(None)
            case "boolean":
                return _find_boolean(constraints)
            case "number":
                return find_number(constraints)
            case "string":
                return find_string(constraints)
            case "array":
                return find_array(constraints, self)
            case "object":
                return find_object(constraints, self)

    def restricted(self, node: Node, of: JsonType) -> Node:
        """What the formula says about values of one type: literals of that type, and nothing to be read."""
        key = (node.number, of)
        known = self._restricted.get(key)
        if known is None:
            known = self._restricted[key] = self._restrict(node, of)
        return known

    def _restrict(self, node: Node, of: JsonType) -> Node:
        space = self.space
        match node.kind:
            case "and":
                return space.all_of(self.restricted(part, of) for part in node.args)
            case "or":
                return space.any_of(self.restricted(part, of) for part in node.args)
            case "types":
                return space.true if of in node.args[0] else space.false
            case "literal":
                own, weak, _ = node.args
                return node if own == of else (space.true if weak else space.false)
            case "sub":
                return self._expanded(node, of)
            case _:
                return node

    def _expanded(self, node: Node, of: JsonType) -> Node:
        self.spend()
        if node.number in self._expanding:
            return self._builder.circle(node.args[0])
        self._expanding.add(node.number)
        try:
            return self.restricted(self._builder.read(node), of)
        finally:
            self._expanding.discard(node.number)


class _State:
    """What must hold: literals as facts, `or`s as clauses."""

    __slots__ = ("clauses", "facts", "opaque", "space")

    def __init__(self, space: Space) -> None:
        self.space = space
        self.facts: dict[int, Node] = {}
        self.clauses: list[Node] = []
        self.opaque: Node | None = None

    def copy_without(self, clause: Node) -> _State:
        copy = _State(self.space)
        copy.facts = dict(self.facts)
        copy.clauses = [one for one in self.clauses if one is not clause]
        copy.opaque = self.opaque
        return copy

    def take(self, nodes: Iterable[Node]) -> bool:
        """Add what must hold; False if it contradicts what already must."""
        rest = list(nodes)
        while rest:
            node = rest.pop()
            if node is self.space.false or self.space.negate(node).number in self.facts:
                return False
            if node.kind == "and":
                rest.extend(reversed(node.args))
            elif node.kind == "or":
                self.clauses.append(node)
            elif node is not self.space.true:
                self.facts[node.number] = node
                if node.kind == "opaque":
                    self.opaque = node
        return True

    def propagate(self) -> bool:
        """Drop what can't hold from the clauses until none changes; False if one has nothing left."""
        is_changed = True
        while is_changed:
            is_changed = False
            waiting, self.clauses = self.clauses, []
            for clause in waiting:
                if any(part.number in self.facts for part in clause.args):
                    continue
                left = [part for part in clause.args if not self._excluded(part)]
                if len(left) > 1:
                    same = len(left) == len(clause.args)
                    self.clauses.append(clause if same else self.space.any_of(left))
                    continue
                is_changed = True
                if not left or not self.take(left):
                    return False
        return True

    def _excluded(self, node: Node) -> bool:
        parts = node.args if node.kind == "and" else (node,)
        return any(self.space.negate(part).number in self.facts for part in parts)

    def constraints(self) -> list[Constraint]:
        return [node.args[2] for node in self.facts.values() if node.kind == "literal"]


def _find_boolean(constraints: Iterable[Constraint]) -> Result:
    allowed = {True, False}
    for kind, values in constraints:
        allowed = allowed & values if kind == "in" else allowed - values
    return Found(min(allowed)) if allowed else EMPTY
