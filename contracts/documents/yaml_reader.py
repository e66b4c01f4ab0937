"""Reads plain YAML with the place of every value, from libyaml's events and without recursion.

An unquoted scalar is null, true, false, a whole number, a decimal number, or text, as in the core schema of
YAML 1.2: `no` and dates are text. A number that would lose digits is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import yaml

from contracts.documents import rules
from contracts.errors import DocumentError
from contracts.finding import Finding, Place, Rule
from contracts.paths import Step

MAX_YAML_DEPTH: Final = 32

_WORDS: Final[Mapping[str, Any]] = {"": None, "~": None, "null": None, "true": True, "false": False}
_WHOLE = re.compile(r"[-+]?[0-9]+", re.ASCII)
_DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]+", re.ASCII)
_MOST_DIGITS = 40
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1

Places = dict[tuple[Step, ...], Place]


def read_yaml_text(text: str, file: str) -> tuple[Any, Places]:
    """Parse a text that is one YAML document.

    Returns:
        The value, and the place of everything in it by its steps.

    Raises:
        DocumentError: The text breaks a rule of `contracts.documents.rules`.
    """
    first, *others = [*_built(text, file)] or [_Builder(file)]
    fault = first.fault
    if fault is None and others:
        start = others[0].start
        fault = rules.SYNTAX.at(start, "a second document in one file") if start else others[0].fault
    if fault is not None:
        raise DocumentError(fault)
    return first.value, first.places


def read_yaml_texts(text: str, file: str) -> list[tuple[Any, Places] | Finding]:
    """Parse the YAML documents of a text, separated by `---`.

    Returns:
        Value and places of each as `read_yaml_text` gives them, or the rule that it breaks.
    """
    return [built.fault or (built.value, built.places) for built in _built(text, file)]


def _built(text: str, file: str) -> Iterator[_Builder]:
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.DocumentStartEvent):
                builder = _Builder(file, _place(file, event.start_mark))
            elif isinstance(event, yaml.DocumentEndEvent):
                yield builder
                builder = _Builder(file)
            elif builder.fault is None:
                builder.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or "a character YAML does not allow"
        builder.fault = builder.fault or rules.SYNTAX.at(_place(file, mark), f"not YAML: {problem}")
        yield builder


def _place(file: str, mark: Any) -> Place:
    return Place(file, mark.line + 1, mark.column + 1) if mark is not None else Place(file)


class _Builder:
    """Turns the events of one document into a value. `_path` ends with the step of the next value."""

    def __init__(self, file: str, start: Place | None = None) -> None:
        self.file = file
        self.start = start
        self.fault: Finding | None = None
        self.value: Any = None
        self.places: Places = {}
        self._open: list[Any] = []
        self._path: list[Any] = []  # steps; None in place of the last while a key is awaited

    def take(self, event: yaml.Event) -> None:
        if type(event) is yaml.ScalarEvent and event.anchor is None and event.tag in (None, "!"):
            self._scalar(event)  # most are
        elif isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            self._refuse(rules.PLAIN_YAML, event, "an anchor or alias")
        elif getattr(event, "tag", None) not in (None, "!"):
            self._refuse(rules.PLAIN_YAML, event, "a tag")
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()
            self._path.pop()
            self._next()

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if self._awaits_key():
            if event.value in self._open[-1]:
                self._refuse(rules.DUPLICATE_KEY, event, f"the key `{event.value[:80]}` occurs twice")
            elif event.value == "<<" and event.implicit[0]:
                self._refuse(rules.PLAIN_YAML, event, "a merge key")
            self._path[-1] = event.value
            self.places[tuple(self._path)] = _place(self.file, event.start_mark)
            return
        try:
            self._put(_scalar_value(event.value) if event.implicit[0] else event.value, event)
        except ValueError:
            what = "a number that would lose digits; in quotes it is text with all of them"
            self._refuse(rules.SYNTAX, event, what)
        self._next()

    def _begin(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        if self._awaits_key():
            self._refuse(rules.PLAIN_YAML, event, "a key that is not text")
        elif len(self._open) >= MAX_YAML_DEPTH:
            self._refuse(rules.TOO_DEEP, event, f"nested deeper than {MAX_YAML_DEPTH} levels")
        else:
            mapping = isinstance(event, yaml.MappingStartEvent)
            container: Any = {} if mapping else []
            self._put(container, event)
            self._open.append(container)
            self._path.append(None if mapping else 0)

    def _put(self, value: Any, event: yaml.Event) -> None:
        if self._open and isinstance(self._open[-1], dict):
            self._open[-1][self._path[-1]] = value  # its place is that of its key
            return
        self.places[tuple(self._path)] = _place(self.file, event.start_mark)
        if self._open:
            self._open[-1].append(value)
        else:
            self.value = value

    def _next(self) -> None:
        if self._open:
            step = self._path[-1]
            self._path[-1] = step + 1 if isinstance(step, int) else None

    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1], dict) and self._path[-1] is None

    def _refuse(self, rule: Rule, event: yaml.Event, what: str) -> None:
        self.fault = rule.at(_place(self.file, event.start_mark), what)


def _scalar_value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return _kept(text, int(text) if len(text) < _MOST_DIGITS else None)
    if _DECIMAL.fullmatch(text):
        return _kept(text, float(text) if len(text) < _MOST_DIGITS else None)
    return text


def _kept(text: str, number: float | None) -> float:
    """The number, if none of its digits is lost."""
    if number is None or not _SMALLEST <= number <= _LARGEST:
        raise ValueError
    if type(number) is float and Decimal(repr(number)) != Decimal(text):
        raise ValueError
    return number
