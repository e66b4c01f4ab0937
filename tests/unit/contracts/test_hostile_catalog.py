"""What a hostile catalogue does to the commands that read it: each thing is refused, and none stops them."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.contracts.catalogs import FOLDER, SCHEMA, rehash, sound, write
from tests.unit.contracts.hostile import HOSTILE, KEPT, forget_hash

MEMORY = 4 * 1024**3
CPU_SECONDS = 300
COMMAND = "from contracts.cli import contracts; contracts(prog_name='govbus contracts')"


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
