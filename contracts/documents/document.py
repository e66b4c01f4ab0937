"""Reads one file of a catalogue within limits, and knows the line and column of every value in it.

Law: a document is a regular file inside the catalogue, UTF-8, limited in size and depth, without duplicate
keys, YAML anchors, aliases and tags. Reading is not recursive, so nesting cannot exhaust the stack.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from contracts.documents import rules
from contracts.documents.folders import real_path
from contracts.documents.json_places import json_depth, json_places
from contracts.documents.yaml_reader import read_yaml_text, read_yaml_texts
from contracts.errors import DocumentError
from contracts.finding import Finding, Place
from contracts.paths import Step

MAX_YAML_BYTES: Final = 262_144
MAX_JSON_BYTES: Final = 1_048_576
MAX_JSON_DEPTH: Final = 128


@dataclass(frozen=True)
class Document:
    """The content of one file, and where each value is.

    Attributes:
        file: The path from the catalogue's root, with `/`.
        content: The file's bytes.
        value: The parsed content.
    """

    file: str
    content: bytes
    value: Any
    yaml_places: Mapping[tuple[Step, ...], Place] | None = None

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the file's bytes, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    def place(self, *steps: Step) -> Place:
        """The place of the value at these steps; of its nearest parent when it is absent."""
        for length in range(len(steps), -1, -1):
            if place := self._places.get(steps[:length]):
                return place
        return Place(self.file)

    @cached_property
    def _places(self) -> Mapping[tuple[Step, ...], Place]:
        if self.yaml_places is not None:
            return self.yaml_places
        return json_places(self.content.decode(), self.file)


def read_yaml(root: Path, file: str) -> Document:
    """Read one YAML document of the catalogue at `root`.

    Raises:
        DocumentError: It breaks a rule of `contracts.documents.rules`.
    """
    content = _content(root, file, MAX_YAML_BYTES)
    value, places = read_yaml_text(_text(content, file), file)
    return Document(file, content, value, places)


def read_yaml_documents(content: bytes, file: str) -> list[Document | Finding]:
    """Read the YAML documents of one text, separated by `---`.

    Args:
        content: The text in UTF-8, of any size.
        file: Its name, for places.

    Returns:
        Each document, or the rule of `contracts.documents.rules` that it breaks.
    """
    try:
        text = _text(content, file)
    except DocumentError as error:
        return [error.finding]
    read = read_yaml_texts(text, file)
    return [one if isinstance(one, Finding) else Document(file, content, *one) for one in read]


def read_json(root: Path, file: str) -> Document:
    """Read one JSON document of the catalogue at `root`.

    Raises:
        DocumentError: It breaks a rule of `contracts.documents.rules`.
    """
    content = _content(root, file, MAX_JSON_BYTES)
    text = _text(content, file)
    if json_depth(text) > MAX_JSON_DEPTH:
        raise DocumentError(rules.TOO_DEEP.at(Place(file), f"nested deeper than {MAX_JSON_DEPTH} levels"))
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = Place(file, error.lineno, error.colno)
        raise DocumentError(rules.SYNTAX.at(place, f"not JSON: {error.msg}")) from None
    except _DuplicateKeyError as error:
        place = _second_place(text, error.key, file)
        raise DocumentError(
            rules.DUPLICATE_KEY.at(place, "a property name occurs twice in one object")
        ) from None
    except ValueError:
        raise DocumentError(
            rules.SYNTAX.at(Place(file), "not JSON: a number that JSON does not allow")
        ) from None
    return Document(file, content, value)


def _content(root: Path, file: str, limit: int) -> bytes:
    try:
        real = real_path(root, file)
        if not real.is_file():
            raise DocumentError(rules.MISSING.at(Place(file), "is not a regular file"))
        with real.open("rb") as stream:
            content = stream.read(limit + 1)
    except (OSError, RuntimeError, ValueError) as error:
        what = "does not exist" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise DocumentError(rules.MISSING.at(Place(file), what)) from None
    if len(content) > limit:
        raise DocumentError(rules.TOO_LARGE.at(Place(file), f"larger than {limit:,} bytes"))
    return content


def _text(content: bytes, file: str) -> str:
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise DocumentError(rules.ENCODING.at(Place(file), "begins with a byte order mark"))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DocumentError(rules.ENCODING.at(Place(file, line), "is not UTF-8")) from None


class _DuplicateKeyError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _DuplicateKeyError(next(key for key in counts if counts[key] > 1))
    return value


def _no_constant(_name: str) -> None:
    raise ValueError


def _second_place(text: str, key: str, file: str) -> Place:
    found = list(re.finditer(re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:", text))
    start = found[-1].start() if found else 0
    return Place(file, text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))
