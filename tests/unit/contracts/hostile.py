"""What a hostile catalogue may hold: each thing with the rule that refuses it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.unit.contracts.catalogs import schema, write

Change = Callable[[Path, str], Any]


def text(name: str, content: str | bytes) -> Change:
    """Write a file of the event."""
    return lambda root, folder: write(root, f"{folder}/{name}", content)


def link(name: str, target: str) -> Change:
    """Put a link in place of a file or folder of the event."""
    return lambda root, folder: replaced(root / folder / name).symlink_to(target)


def replaced(path: Path) -> Path:
    """A path at which nothing is."""
    if path.is_dir():
        path.rename(path.with_name(f".{path.name}"))
    path.unlink(missing_ok=True)
    return path


def outside(root: Path, folder: str) -> None:
    """Put a link to somebody else's examples in place of the event's own."""
    path = write(root.parent / "elsewhere", "v1/valid/secret.json", {"reference": "REF-SECRET"})
    replaced(root / folder / "examples").symlink_to(path.parent.parent.parent)


def words(**more: Any) -> Change:
    """Write a schema with further words."""
    value = {**schema(), **more}
    return text("v1.0.json", json.dumps(value))


def properties(**more: Any) -> Change:
    """Write a schema with further properties."""
    return words(properties={**schema()["properties"], **more})


def fan(size: int, step: Callable[[int], Any]) -> Change:
    """Write a schema of definitions that each say something about the next one."""
    definitions = {f"a{number}": step(number + 1) for number in range(size)}
    last = {f"a{size}": {"type": "object"}}
    return words(**{"$ref": "#/$defs/a0", "$defs": {**schema()["$defs"], **definitions, **last}})


def twice(number: int) -> dict[str, Any]:
    """The next definition, two times."""
    return {"allOf": [{"$ref": f"#/$defs/a{number}"}] * 2}


def add_row(root: Path, folder: str, row: dict[str, str]) -> None:
    """List one more version, whose file is the one of version 1.0."""
    write(root, f"{folder}/{row['file']}", (root / folder / "v1.0.json").read_bytes())
    value = yaml.safe_load((root / folder / "contract.yaml").read_text())
    value["versions"].append(row)
    write(root, f"{folder}/contract.yaml", value)


HOSTILE: dict[str, tuple[Change, str]] = {
    "large": (text("v1.0.json", '{"title": "' + "x" * 5_000_000 + '"}'), "document-too-large"),
    "deep": (text("v1.0.json", '{"not":' * 10_000 + "{}" + "}" * 10_000), "document-too-deep"),
    "itself": (words(**{"$ref": "#"}), "reference-resolves"),
    "fan-out": (fan(40, twice), "evaluation-bounded"),
    "pattern": (properties(note={"type": "string", "pattern": "^(a+)+$"}), "pattern-linear"),
    "same-key": (text("v1.0.json", '{"type": "object", "type": "array"}'), "document-duplicate-key"),
    "byte-mark": (text("v1.0.json", b"\xef\xbb\xbf{}"), "document-encoding"),
    "dialect": (words(**{"$schema": "http://json-schema.org/draft-03/schema#"}), "dialect-declared"),
    "remote": (properties(x={"$ref": "http://127.0.0.1:9/schema.json"}), "reference-resolves"),
    "bomb": (text("contract.yaml", "a: &a [x]\n" + "b: [*a, *a]\n" * 50), "document-plain-yaml"),
    "file-link": (link("v1.0.json", "/etc/hostname"), "document-outside"),
    "folder-link": (outside, "document-outside"),
    "pipe": (lambda root, folder: os.mkfifo(replaced(root / folder / "v1.0.json")), "document-missing"),
    "device": (link("v1.0.json", "/dev/zero"), "document-outside"),
    "long-chain": (fan(5_000, lambda number: {"$ref": f"#/$defs/a{number}"}), "evaluation-bounded"),
    "two-together": (
        words(**{"$ref": "#/$defs/b", "$defs": {"b": {"$ref": "#/$defs/c"}, "c": {"$ref": "#/$defs/b"}}}),
        "reference-resolves",
    ),
    "not-a-schema": (properties(x={"type": "strong", "properties": 7}), "schema-compiles"),
    "broken-pattern": (properties(x={"type": "string", "pattern": "("}), "schema-compiles"),
    "one-version-twice": (
        lambda root, folder: add_row(root, folder, {"number": "1.0", "file": "v1.1.json"}),
        "version-once",
    ),
    "changed": (text("v1.0.json", json.dumps({**schema(), "title": "Changed"})), "hash-agrees"),
    "wrong-all-over": (
        text("contract.yaml", "x: 1\n" * 1 + "".join(f"y{n}: 1\n" for n in range(9_000))),
        "document-structure",
    ),
    "crowd": (
        lambda root, folder: [write(root, f"{folder}/f{n}.txt", "") for n in range(10_001)],
        "document-too-large",
    ),
}
KEPT = ("changed",)
"""Events whose recorded hash stays as it was."""


def forget_hash(root: Path, folder: str) -> None:
    """Record no hash, so that what is told is the schema's own fault."""
    lines = (root / folder / "contract.yaml").read_text().splitlines(keepends=True)
    write(root, f"{folder}/contract.yaml", "".join(line for line in lines if "sha256" not in line))
