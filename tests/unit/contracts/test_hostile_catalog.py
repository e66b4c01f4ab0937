"""What a hostile catalogue does to the commands that read it: each thing is refused, and none stops them."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.contracts.catalogs import FOLDER, SCHEMA, rehash, schema, sound, write

MEMORY = 4 * 1024**3
CPU_SECONDS = 300
COMMAND = "from contracts.cli import contracts; contracts(prog_name='govbus contracts')"

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
    "folder-link": (link("examples", "/etc"), "document-outside"),
    "pipe": (lambda root, folder: os.mkfifo(replaced(root / folder / "v1.0.json")), "document-missing"),
    "device": (link("v1.0.json", "/dev/zero"), "document-outside"),
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


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound catalogue, and beside its events one for each hostile thing."""
    root = sound(tmp_path_factory.mktemp("hostile") / "catalog")
    contract, valid = (
        (root / FOLDER / "contract.yaml").read_text(),
        (root / FOLDER / "examples").rglob("*.json"),
    )
    examples = [(path.relative_to(root / FOLDER), path.read_bytes()) for path in valid]
    for event, (change, _) in HOSTILE.items():
        folder = f"agencies/tax/{event}"
        write(root, f"{folder}/contract.yaml", contract.replace("refund-paid", event))
        write(root, f"{folder}/v1.0.json", (root / SCHEMA).read_bytes())
        for name, content in examples:
            write(root, f"{folder}/{name}", content)
        change(root, folder)
        if event not in KEPT and "sha256" in (root / folder / "contract.yaml").read_text():
            forget_hash(root, folder)
    write(root, "services/a\n::error::\x1b[31m\u202egnp.yaml", "x: 1\n")
    rehash(root)
    return root


def forget_hash(root: Path, folder: str) -> None:
    """Record no hash, so that what is told is the schema's own fault."""
    lines = (root / folder / "contract.yaml").read_text().splitlines(keepends=True)
    write(root, f"{folder}/contract.yaml", "".join(line for line in lines if "sha256" not in line))


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the room in a process that may not take the machine with it."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))

    return subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
        timeout=600,
    )


@pytest.fixture(scope="module")
def told(hostile: Path) -> list[dict[str, Any]]:
    """What lint says of the hostile catalogue."""
    result = run("lint", "--catalog", hostile, "--format", "json")
    assert (result.returncode, result.stderr) == (100, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("event", sorted(HOSTILE))
def test_each_hostile_thing_is_refused_at_its_place(told: list[dict[str, Any]], event: str) -> None:
    """By its rule, in its own folder, with a remedy."""
    found = [line for line in told if f"/tax/{event}" in line["file"]]
    assert HOSTILE[event][1] in {line["code"] for line in found}
    assert all(line["how"] for line in found)


def test_the_sound_event_beside_them_is_clean(told: list[dict[str, Any]]) -> None:
    """What is wrong elsewhere is not told of it."""
    assert [line["code"] for line in told if "/tax/refund-" in line["file"]] == []


def test_a_name_cannot_write_on_the_terminal(hostile: Path) -> None:
    """Line breaks, escape sequences and letters that turn the line round are shown as signs."""
    result = run("lint", "--catalog", hostile)
    assert result.returncode == 100
    assert all(line.isprintable() for line in result.stdout.split("\n"))
    assert not any(line.startswith("::") for line in result.stdout.split("\n"))


@pytest.mark.parametrize("arguments", [("list",), ("show", "tax.refund-paid"), ("fmt",), ("lint", "--fix")])
def test_no_command_is_stopped(hostile: Path, arguments: tuple[str, ...]) -> None:
    """Each ends by itself, with findings or one line that says why it could not run."""
    result = run(*arguments, "--catalog", hostile)
    assert result.returncode in (1, 100)
    assert "Traceback" not in result.stderr
