"""Creates the next version of a contract: a copy of the latest schema, and a row in `contract.yaml`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from contracts.contract import Contract, ContractVersion
from contracts.documents.document import Document, read_json, read_yaml
from contracts.documents.folders import names_in
from contracts.documents.formatting import format_json
from contracts.documents.yaml_reader import read_yaml_text
from contracts.errors import ContractError

_LAYOUT: Final = (
    "Expected each row of `versions` in `{}` on its own lines - change the layout, or add the row by hand"
)


def next_version(root: Path, contract: Contract, *, is_major: bool) -> tuple[dict[str, str], str]:
    """The new documents of the next version, and the new text of `contract.yaml`.

    Raises:
        ContractError: The layout of `contract.yaml` does not allow adding a row.
    """
    last = contract.versions[-1]
    major, minor = (last.major + 1, 0) if is_major else (last.major, last.minor + 1)
    folder = f"agencies/{contract.agency}/{contract.event}"
    document = read_yaml(root, f"{folder}/contract.yaml")
    row = next(row for row in document.value["versions"] if row["number"] == last.number)
    schema = read_json(root, f"{folder}/{row['file']}")
    copied = {f"{folder}/v{major}.{minor}.json": _renumbered(schema, last, f"{major}.{minor}")}
    if is_major:
        copied |= _examples(root, folder, last.major, major)
    return copied, _with_row(document, f"{major}.{minor}", row.get("references"))


def _renumbered(schema: Document, last: ContractVersion, number: str) -> str:
    value = dict(schema.value)
    if value.get("$id") == last.dataschema:
        value["$id"] = last.dataschema.rpartition(":")[0] + f":{number}"
    return format_json(json.dumps(value, ensure_ascii=False), is_schema=True)


def _examples(root: Path, folder: str, old: int, new: int) -> dict[str, str]:
    names = [
        f"{kind}/{name}"
        for kind in ("valid", "invalid")
        for name in names_in(root, f"{folder}/examples/v{old}/{kind}")
        if name.endswith(".json")
    ]
    read = {name: read_json(root, f"{folder}/examples/v{old}/{name}") for name in names}
    return {f"{folder}/examples/v{new}/{name}": each.content.decode() for name, each in read.items()}


def _with_row(document: Document, number: str, references: Any) -> str:
    lines = document.content.decode().splitlines(keepends=True)
    rows = document.value["versions"]
    place = document.place("versions", len(rows) - 1, "number")
    dash = lines[place.line - 1].find("-")
    after = place.line
    while after < len(lines) and (lines[after][: dash + 1].isspace() or lines[after].isspace()):
        after += 1
    while lines[after - 1].isspace():
        after -= 1
    row = {"number": number, "file": f"v{number}.json", **({"references": references} if references else {})}
    indent = " " * max(dash, 0)
    added = [f"{indent}- number: '{number}'\n", f"{indent}  file: v{number}.json\n"]
    if references:
        added.append(f"{indent}  references: {json.dumps(references)}\n")
    if not lines[after - 1].endswith("\n"):
        lines[after - 1] += "\n"
    text = "".join([*lines[:after], *added, *lines[after:]])
    wanted = {**document.value, "versions": [*rows, row]}
    try:
        value, _ = read_yaml_text(text, document.file)
    except ContractError:
        value = None
    if value != wanted:
        raise ContractError(_LAYOUT.format(document.file))
    return text
