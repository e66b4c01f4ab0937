"""A YAML document with the place of everything in it, and secrets taken from the environment. Pure.

Scalars are those of YAML 1.2's core: null, true, false, whole and decimal numbers, text; so `no` is a word
and a date is text. Anchors, aliases and tags are refused, since a file should read as it stands.

`${ENV:NAME}` anywhere in a text stands for the environment variable. A password or token written out is a
finding.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from connectors.finding import (
    NAMED_TWICE,
    NOT_YAML,
    SECRET_IN_CLEAR,
    UNSET_VARIABLE,
    Finding,
)

Steps = tuple[str | int, ...]
MAX_DEPTH = 32

_ENVIRONMENT = re.compile(r"\$\{ENV:([A-Za-z_][A-Za-z0-9_]*)\}")
_PASSWORD_IN_URL = re.compile(r"://[^/@:\s]*:(?!\$\{ENV:)[^/@\s]+@")
_SECRET_NAME = re.compile(r"passw|secret|token|authorization|api[-_]?key", re.IGNORECASE)
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}", re.ASCII)


@dataclass(slots=True)
class Document:
    """One document of a file.

    Attributes:
        file: As it was named.
        value: The document with its variables filled in.
        places: Line and column, from 1, of every value (and of every key, under the steps to its value).
        findings: What is wrong with it as a document.
    """

    file: str
    value: Any = None
    places: dict[Steps, tuple[int, int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def finding(self, steps: Sequence[str | int], code: str, what: str, why: str, how: str) -> Finding:
        """A finding at a place in this document, or at the nearest place around it."""
        return Finding(self.file, *self.place(steps), code, what, why, how)

    def place(self, steps: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of a place, or of the nearest one around it."""
        at = tuple(steps)
        while at and at not in self.places:
            at = at[:-1]
        return self.places.get(at, (1, 1))


class _Refused(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, node: yaml.Node, what: str, how: str) -> None:
        super().__init__(what)
        self.node, self.what, self.how = node, what, how


def read_documents(text: str, file: str, environment: Mapping[str, str]) -> list[Document]:
    """Every document of a file; one that cannot be read holds a finding and no value.

    Args:
        text: The file's text.
        file: Its name, for findings.
        environment: The variables that `${ENV:NAME}` may name.
    """
    documents: list[Document] = []
    nodes = _nodes(text)
    while True:
        document = Document(file)
        try:
            node = next(nodes, None)
            if node is None:
                return documents
            documents.append(document)
            document.value = _Reader(document, environment).read(node, ())
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
            problem = getattr(error, "problem", None) or "a character that YAML does not allow"
            document.findings.append(
                Finding(
                    file, line, column, NOT_YAML, f"not YAML: {problem}", "nothing can be read", "mend it"
                )
            )
            return [*documents, document]
        except _Refused as error:
            mark = error.node.start_mark
            document.findings.append(
                Finding(
                    file, mark.line + 1, mark.column + 1, NOT_YAML, error.what, "plain YAML only", error.how
                )
            )


def _nodes(text: str) -> Iterator[yaml.Node]:
    yield from yaml.compose_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class _Reader:
    """Turns the nodes of one document into values."""

    def __init__(self, document: Document, environment: Mapping[str, str]) -> None:
        self._document = document
        self._environment = environment
        self._met: set[int] = set()

    def read(self, node: yaml.Node, steps: Steps) -> Any:
        self._document.places.setdefault(steps, (node.start_mark.line + 1, node.start_mark.column + 1))
        if id(node) in self._met:
            raise _Refused(node, "an alias of YAML", "write the value again")
        if len(steps) > MAX_DEPTH:
            raise _Refused(node, f"nested deeper than {MAX_DEPTH} levels", "write it flatter")
        self._met.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, steps)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*steps, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, steps)

    def _mapping(self, node: yaml.MappingNode, steps: Steps) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused(key, "a key that is not text", "write text before the colon")
            name = str(key.value)
            mark = key.start_mark
            if name in values:
                self._document.findings.append(
                    Finding(
                        self._document.file,
                        mark.line + 1,
                        mark.column + 1,
                        NAMED_TWICE,
                        f"the key `{name}` occurs twice",
                        "only one of them would count",
                        "remove one",
                    )
                )
            self._document.places[*steps, name] = (mark.line + 1, mark.column + 1)
            values[name] = self.read(value, (*steps, name))
        return values

    def _scalar(self, node: yaml.Node, steps: Steps) -> Any:
        text = str(node.value)
        plain = not getattr(node, "style", None)  # libyaml says "" where Python says None
        if plain and text in _WORDS:
            return _WORDS[text]
        if plain and _WHOLE.fullmatch(text):
            return int(text)
        if plain and _DECIMAL.fullmatch(text):
            return float(text)
        self._look_for_secret(text, steps)
        return _ENVIRONMENT.sub(lambda match: self._variable(match.group(1), steps), text)

    def _variable(self, name: str, steps: Steps) -> str:
        if name not in self._environment:
            self._document.findings.append(
                self._document.finding(
                    steps,
                    UNSET_VARIABLE,
                    f"environment variable `{name}` is not set",
                    "the file takes a value from it",
                    f"set {name} before the start",
                )
            )
        return self._environment.get(name, "")

    def _look_for_secret(self, text: str, steps: Steps) -> None:
        named = any(isinstance(step, str) and _SECRET_NAME.search(step) for step in steps[-1:])
        option = bool(steps) and steps[0] in {"source", "sink"}
        if option and ((named and "${ENV:" not in text) or _PASSWORD_IN_URL.search(text)):
            self._document.findings.append(
                self._document.finding(
                    steps,
                    SECRET_IN_CLEAR,
                    "a secret is written out",
                    "files are copied and kept",
                    "write ${ENV:NAME} and set the variable NAME",
                )
            )
