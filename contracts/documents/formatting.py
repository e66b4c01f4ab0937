"""Formats documents, so that a diff shows only real changes.

JSON is indented by two spaces, with a list of scalars on one line where it fits, and the keywords of a schema
are sorted. In YAML only line ends change; comments and layout stay. Numbers and the order of properties and
examples stay as written. A document whose meaning would change is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from contracts.documents.yaml_reader import read_yaml_text
from contracts.errors import DocumentError
from contracts.schema.keywords import ORDER
from contracts.schema.walk import subschemas

_WIDTH: Final = 100
_BOM: Final = "\ufeff"
_RANK: Final = {word: rank for rank, word in enumerate(ORDER)}


class _Number(float):
    """A number that keeps its original text."""

    def __new__(cls, text: str) -> _Number:
        number = super().__new__(cls, "0")
        number.text = text
        return number

    text: str


def format_json(text: str, *, is_schema: bool) -> str:
    """The formatted text of a JSON document.

    Args:
        text: JSON text, within the limits of `contracts.documents.document`.
        is_schema: Whether to sort keywords; otherwise all names keep their order.

    Raises:
        ValueError: The text is not JSON.
    """
    value = json.loads(text.removeprefix(_BOM), parse_float=_Number, parse_int=_Number)
    if is_schema:
        value = _in_order(value)
    return "".join(_render(value, "", "")) + "\n"


def format_yaml(text: str, file: str) -> str:
    """The text of a YAML document without trailing spaces and carriage returns, and with one final newline.

    Raises:
        DocumentError: The text is not YAML that a catalogue allows.
    """
    plain = text.removeprefix(_BOM)
    before, _ = read_yaml_text(plain, file)
    lines = plain.replace("\r\n", "\n").split("\n")
    formatted = "\n".join(line.rstrip(" \t") for line in lines).rstrip("\n") + "\n"
    try:
        after, _ = read_yaml_text(formatted, file)
    except DocumentError:
        return text
    return formatted if after == before else text


def _in_order(schema: Any) -> Any:
    for _, node in reversed(list(subschemas(schema))):
        words = sorted(node, key=lambda word: _RANK.get(word, len(_RANK)))
        if isinstance(node, dict) and list(node) != words:
            kept = {word: node[word] for word in words}
            node.clear()
            node.update(kept)
    return schema


def _render(value: Any, indent: str, before: str) -> Iterator[str]:
    """The pieces of a value; `before` is the text that precedes it on its line."""
    if not value or not isinstance(value, dict | list) or _fits(value, indent + before):
        yield _flat(value)
        return
    inner = f"{indent}  "
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield opening
    items = value.items() if isinstance(value, Mapping) else ((None, item) for item in value)
    for index, (name, item) in enumerate(items):
        label = "" if name is None else f"{_flat(name)}: "
        yield f"{',' if index else ''}\n{inner}{label}"
        yield from _render(item, inner, label)
    yield f"\n{indent}{closing}"


def _fits(value: Any, line: str) -> bool:
    if isinstance(value, dict) or any(isinstance(item, dict | list) and item for item in value):
        return False
    return len(line) + len(_flat(value)) <= _WIDTH


def _flat(value: Any) -> str:
    if isinstance(value, _Number):
        return value.text
    if isinstance(value, list):
        return f"[{', '.join(_flat(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)
