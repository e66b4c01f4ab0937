"""Reads one file of a catalogue within limits, and knows the line and column of every value in it.

Law: a document is a regular file inside the catalogue, UTF-8, limited in size and depth, without duplicate
keys, YAML anchors, aliases and tags. Reading is not recursive, so nesting cannot exhaust the stack.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from contracts.documents import rules
from contracts.documents.folders import real_path
from contracts.documents.json_reader import json_places, read_json_text
from contracts.documents.yaml_reader import read_yaml_text, read_yaml_texts
from contracts.errors import DocumentError
from contracts.finding import Finding, Place
from contracts.paths import Step

MAX_YAML_BYTES: Final = 262_144
MAX_JSON_BYTES: Final = 1_048_576


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


def read_yaml(root: Path, file: str, *, limit: int = MAX_YAML_BYTES) -> Document:
    """Read one YAML document of the catalogue at `root`, of at most `limit` bytes.

    Raises:
        DocumentError: It breaks a rule of `contracts.documents.rules`.
    """
    content = _content(root, file, limit)
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


def read_json(root: Path, file: str, *, limit: int = MAX_JSON_BYTES) -> Document:
    """Read one JSON document of the catalogue at `root`, of at most `limit` bytes.

    Raises:
        DocumentError: It breaks a rule of `contracts.documents.rules`.
    """
    content = _content(root, file, limit)
    return Document(file, content, read_json_text(_text(content, file), file))


def read_text(root: Path, file: str) -> str:
    """Read a text file of a catalogue.

    Raises:
        DocumentError: It cannot be read, is too large, or is no UTF-8 without byte order mark.
    """
    return _text(_content(root, file, MAX_JSON_BYTES), file)


def _content(root: Path, file: str, limit: int) -> bytes:
    try:
        real = real_path(root, file)
        found = os.stat(real)  # noqa: PTH116 - see `real_path`
        if not stat.S_ISREG(found.st_mode):
            raise DocumentError(rules.MISSING.at(Place(file), "is not a regular file"))
        with open(real, "rb") as stream:  # noqa: PTH123
            content = stream.read(min(limit, found.st_size) + 1)  # room is made for what is asked
            if found.st_size < len(content) <= limit:  # it grew, or has no size of its own
                content += stream.read(limit + 1 - len(content))
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
