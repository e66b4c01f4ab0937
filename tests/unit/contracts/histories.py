"""A sound catalogue that goes on: in git, and version by version."""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.unit.contracts.catalogs import CONTRACT, FOLDER, schema, write

Change = Callable[[dict[str, Any]], Any]


def publish(root: Path, number: str, change: Change = lambda _schema: None, **row: Any) -> None:
    """Add a version: the sound schema with a change, listed with its hash."""
    document = copy.deepcopy(schema())
    change(document)
    file = write(root, f"{FOLDER}/v{number}.json", document)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    listed = {"number": number, "file": file.name, "sha256": digest, **row}
    edit_contract(root, lambda contract: contract["versions"].append(listed))


def edit_contract(root: Path, change: Change) -> None:
    """Change what `contract.yaml` says, hashes and all as the change leaves them."""
    contract = yaml.safe_load((root / CONTRACT).read_text("utf-8"))
    change(contract)
    write(root, CONTRACT, contract)


def subscribe(root: Path, consumer: str, fields: list[str]) -> None:
    """Let an agency read the sound event's version 1."""
    agency = {"name": consumer, "title": consumer, "level": "local", "contact": "desk@example.example"}
    write(root, f"agencies/{consumer}/agency.yaml", agency)
    subscription = {
        "subject": "tax.refund-paid",
        "version": 1,
        "purpose": "ledger",
        "legal_basis": "Ledger Act, section 1",
        "fields": fields,
        "approved_by": "Refunds Unit",
        "approved_on": "2026-01-01",
        "expires": "2999-12-31",
    }
    write(root, f"agencies/{consumer}/subscriptions/tax.refund-paid.yaml", subscription)


def in_git(folder: Path, *words: str) -> str:
    """Run git as somebody without settings of their own."""
    own = {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "PATH": os.environ["PATH"],
    }
    name = ("-c", "user.name=A", "-c", "user.email=a@tax.example")
    done = subprocess.run(
        ["git", *name, *words], cwd=folder, env=own, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def committed(folder: Path, branch: str | None = None) -> str:
    """Commit everything, on a new branch if one is named; make the repository if there is none."""
    if not (folder / ".git").exists():
        in_git(folder, "init", "--quiet", "--initial-branch=main")
    if branch:
        in_git(folder, "switch", "--quiet", "--create", branch)
    in_git(folder, "add", "--all")
    in_git(folder, "commit", "--quiet", "--allow-empty", "--message", "change")
    return in_git(folder, "rev-parse", "HEAD")
