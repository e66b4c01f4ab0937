"""A catalogue of many contracts, made up, for the checks' speed: `python -m tests.benchmarks.catalogs`.

It times `breaking` and `lint` on 1,000 contracts: `breaking` when one has got a new minor version, and when
every one has.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import yaml

from contracts.commands.against import catalog_before
from contracts.lint.breaking import breaking
from contracts.lint.lint import lint
from contracts.lint.soundness import load_sound

REFERENCE = Path(__file__).parents[2] / "contracts" / "agencies"
EVENTS_PER_AGENCY = 20


def make_catalog(root: Path, count: int) -> Path:
    """Write a catalogue of `count` contracts, each a copy of one of the reference catalogue's, in turn.

    Subscriptions, services and converters are left out.
    """
    models = [path.parent for path in sorted(REFERENCE.glob("*/*/contract.yaml")) if _is_plain(path)]
    for number in range(count):
        agency, event = f"agency-{number // EVENTS_PER_AGENCY}", f"event-{number}"
        model, folder = models[number % len(models)], root / "agencies" / agency / event
        shutil.copytree(model, folder)
        text = (folder / "contract.yaml").read_text("utf-8")
        old = f"{model.parent.name}.{model.name}"
        (folder / "contract.yaml").write_text(text.replace(old, f"{agency}.{event}"), encoding="utf-8")
        title = {"name": agency, "title": agency, "level": "local", "contact": "desk@agency.example"}
        (folder.parent / "agency.yaml").write_text(yaml.safe_dump(title), encoding="utf-8")
    return root


def publish_next(root: Path, count: int) -> None:
    """Give the first `count` contracts a new minor version, with an optional field more."""
    for path in sorted(root.glob("agencies/*/*/contract.yaml"))[:count]:
        contract = yaml.safe_load(path.read_text("utf-8"))
        last = contract["versions"][-1]
        major, _, minor = last["number"].partition(".")
        number = f"{major}.{int(minor) + 1}"
        schema = json.loads((path.parent / last["file"]).read_text("utf-8"))
        schema["properties"]["added_note"] = {"type": "string", "maxLength": 40}
        text = json.dumps(schema, ensure_ascii=False, indent=2)
        (path.parent / f"v{number}.json").write_text(text, encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        contract["versions"].append({"number": number, "file": f"v{number}.json", "sha256": digest})
        path.write_text(yaml.safe_dump(contract, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _is_plain(contract: Path) -> bool:
    versions = yaml.safe_load(contract.read_text("utf-8"))["versions"]
    return not any({"upcast", "downcast", "references"} & row.keys() for row in versions)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main(count: int) -> None:
    """Print how long each check takes."""
    today = datetime.now(UTC).date()
    with tempfile.TemporaryDirectory() as folder:
        before = make_catalog(Path(folder) / "before", count)
        for changed in (1, count):
            now = Path(shutil.copytree(before, Path(folder) / f"now-{changed}"))
            publish_next(now, changed)

            def check(now: Path = now) -> object:
                return breaking(
                    load_sound(now, compiled=False), catalog_before(str(before), now, compiled=False), today
                )

            _say(f"breaking, {changed:,} of {count:,} contracts changed", _seconds(check))
        _say(f"lint, {count:,} contracts", _seconds(lambda: lint(before)))


def _say(what: str, seconds: float) -> None:
    sys.stdout.write(f"| {what} | {seconds:.1f} s |\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
