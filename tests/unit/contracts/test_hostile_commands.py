"""What a hostile catalogue does to every command that shows it, compares it or passes it on."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.contracts.catalogs import FOLDER, sound
from tests.unit.contracts.hostile import HOSTILE, KEPT, forget_hash

SUBJECT = "tax.refund-paid"
FINDING = re.compile(r"\S+:\d+:\d+ (?P<code>[a-zA-Z_-]+) .+ - .+ - .+")
CHECKED = ("lint", "plan", "apply")
"""The commands that ask every rule."""
ELSEWHERE = {
    "crowd": CHECKED,
    "folder-link": (*CHECKED, "docs", "docs-against", "new-major"),
    "pattern": CHECKED,
}
"""Things that only some commands look at or are harmed by; the others go on."""
SOUND_SCHEMA = ("bomb", "changed", "one-version-twice", "wrong-all-over", *ELSEWHERE)
"""Things that are no fault of the schema itself, of which `new --from` makes another event."""
SOUND_ONCE = ("changed", "one-version-twice")
"""Things that keep nobody from comparing with the schemas as they were."""

COMMANDS: dict[str, str] = {
    "list": "list --catalog {root}",
    "list-json": "list --json --catalog {root}",
    "show": f"show {SUBJECT} --catalog {{root}}",
    "show-json": f"show {SUBJECT} --json --catalog {{root}}",
    "lint": "lint --catalog {root}",
    "breaking": "breaking --catalog {root} --against {clean}",
    "diff": "diff --catalog {root} --against {clean}",
    "impact": "impact --catalog {root} --against {clean}",
    "breaking-back": "breaking --catalog {clean} --against {root}",
    "diff-back": "diff --catalog {clean} --against {root}",
    "impact-back": "impact --catalog {clean} --against {root}",
    "docs": "docs --catalog {root} -o {out}",
    "docs-against": "docs --catalog {root} --against {clean} -o {out}",
    "asyncapi": "export asyncapi --catalog {root} -o {out}",
    "odcs": "export odcs --catalog {root} -o {out}",
    "cloudevents": "export cloudevents --catalog {root} -o {out}",
    "serve": "serve --port 0 --catalog {root}",
    "coverage": "coverage --catalog {root}",
    "plan": "plan --catalog {root}",
    "apply": "apply --catalog {root}",
    "prove": "prove --count 10 --catalog {root}",
    "new-minor": f"new version {SUBJECT} --minor --catalog {{root}}",
    "new-major": f"new version {SUBJECT} --major --catalog {{root}}",
    "new-from": "new event library.card-issued --from {root}/" + FOLDER + "/v1.0.json --catalog {out}",
}


class Runner:
    """The commands, in forks of one process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.contracts.hostile_commands"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, arguments: list[str]) -> dict[str, Any]:
        """What one command gave back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        """Let the process end."""
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def run() -> Iterator[Runner]:
    """The commands."""
    runner = Runner()
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogue before anybody harmed it."""
    return sound(tmp_path_factory.mktemp("clean") / "catalog")


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A catalogue for each hostile thing, sound but for that."""
    folder = tmp_path_factory.mktemp("hostile")
    found = {}
    for kind, (change, _) in HOSTILE.items():
        root = found[kind] = sound(folder / kind)
        change(root, FOLDER)
        if kind not in KEPT:
            forget_hash(root, FOLDER)
    return found


def fingerprint(root: Path) -> str:
    """What stands in a folder, links not followed."""
    told = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        told.update(str(path).encode())
        if path.is_file() and not path.is_symlink():
            told.update(path.read_bytes())
    return told.hexdigest()


def may_go_on(kind: str, command: str) -> bool:
    """Whether the command has nothing to do with what is wrong."""
    if command == "new-from":
        return kind in SOUND_SCHEMA
    if command.endswith("-back") and kind in SOUND_ONCE:
        return True
    return command not in ELSEWHERE.get(kind, (command,))


CASES = [
    (kind, command)
    for kind in HOSTILE
    for command in COMMANDS
    if command != "serve" or not may_go_on(kind, command)  # it would serve for ever
]


@pytest.mark.sampled(150)
@pytest.mark.parametrize(("kind", "command"), CASES)
def test_each_command_refuses_each_hostile_thing(
    *, kind: str, command: str, roots: dict[str, Path], clean: Path, run: Runner, tmp_path: Path
) -> None:
    """In bounded time and memory, with place and remedy, and without leaving anything behind."""
    root, out = roots[kind], tmp_path / "out"
    if is_new := command in ("new-minor", "new-major"):
        root = shutil.copytree(root, tmp_path / kind, symlinks=True) if kind in ELSEWHERE else root
    words = [word.format(root=root, clean=clean, out=out) for word in COMMANDS[command].split()]
    before = fingerprint(root) if is_new else ""
    told = run(words)
    assert "internal fault" not in told["err"]
    if may_go_on(kind, command):
        assert told["code"] in (0, 100), told
        return
    assert told["code"] == 100, told
    assert FINDING.search(told["out"] + told["err"]), told
    assert not out.exists()
    assert before == (fingerprint(root) if is_new else "")


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a?a)*$", "^(?:a*)*$"])
def test_a_pattern_cannot_stop_the_proof_of_a_break(pattern: str, run: Runner, tmp_path: Path) -> None:
    """The second validator backtracks, but under a limit; where it is reached, the reason says so."""
    text = "a" * 60 + "!"
    pair = {"id": 1, "old": {"enum": [text]}, "new": {"type": "string", "pattern": pattern}}
    (tmp_path / "pairs").write_text(json.dumps(pair))
    told = run(["compare", "--pairs", str(tmp_path / "pairs")])
    assert told["code"] == 0, told
    answer = json.loads(told["out"])
    assert answer["verdict"] == "incompatible" or pattern in answer["reason"]


def test_an_ordinary_pattern_is_proved_on_long_texts(run: Runner, tmp_path: Path) -> None:
    """Only patterns that try ways without number leave a break without proof."""
    pair = {"id": 1, "old": {"enum": ["a" * 60 + "!"]}, "new": {"type": "string", "pattern": "^a+$"}}
    (tmp_path / "pairs").write_text(json.dumps(pair))
    assert (
        json.loads(run(["compare", "--pairs", str(tmp_path / "pairs")])["out"])["verdict"] == "incompatible"
    )
