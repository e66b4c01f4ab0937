"""The example pipeline of a contracts repo, step by step: a good change goes through, a bad one stops."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bus import EmbeddedKafka
from tests.granted import make_keys

CONTRACTS = Path(__file__).parents[2] / "contracts"
JOBS: dict[str, Any] = yaml.safe_load((CONTRACTS / "pipeline.example.yml").read_text())["jobs"]
CONTRACT = Path("catalogue/agencies/tax/business-registered/contract.yaml")


def git(repo: Path, *words: str) -> None:
    """Run git with an identity of its own."""
    who = ("-c", "user.name=An architect", "-c", "user.email=architect@example.org")
    subprocess.run(["git", *who, *words], cwd=repo, check=True, capture_output=True, timeout=60)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A contracts repo with the reference catalogue on main."""
    repo = tmp_path / "repo"
    for folder in ("agencies", "services"):
        shutil.copytree(CONTRACTS / folder, repo / "catalogue" / folder)
    shutil.copy(CONTRACTS / "catalog.yaml", repo / "catalogue")
    git(repo, "init", "--quiet", "--initial-branch=main")
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "--message=Begin")
    return repo


def run(repo: Path, job: str, environment: dict[str, str]) -> dict[str, tuple[int, str]]:
    """Run a job's steps until one fails; return each step's exit code and output by its name."""
    done: dict[str, tuple[int, str]] = {}
    for step in JOBS[job]["steps"]:
        if "run" in step:
            ran = subprocess.run(
                ["bash", "-eo", "pipefail", "-c", step["run"]],
                cwd=repo, env=environment, capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
            done[step["name"]] = ran.returncode, ran.stdout + ran.stderr
            if ran.returncode:
                break
    return done


def test_a_change_passes_review_and_is_applied(repo: Path, tmp_path: Path) -> None:
    """Checks pass, `apply` makes a fresh cluster agree; an edited published schema is stopped by lint."""
    keys = make_keys(tmp_path)
    with EmbeddedKafka(sasl=True) as node:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_ACTOR": "architect",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "GOVBUS_BOOTSTRAP_SERVERS": node.bootstrap_servers,
            "GOVBUS_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "GOVBUS_SASL_USERNAME": node.admin_username or "",
            "GOVBUS_SASL_PASSWORD": node.admin_password or "",
            "GOVBUS_REGISTRY_PUBLIC_KEY": str(keys["registry_public_key"]),
            "REGISTRY_KEY": keys["registry_key"].read_text(),
        }
        git(repo, "switch", "--quiet", "--create=change")
        contract = (repo / CONTRACT).read_text()
        (repo / CONTRACT).write_text(contract.replace("title: ", "title: Newly ", 1))
        checked = run(repo, "check", environment)
        assert {name: code for name, (code, _) in checked.items()} == dict.fromkeys(checked, 0), checked
        assert "tax.business-registered.v1" in checked["Plan"][1]
        applied = run(repo, "apply", environment)
        assert {name: code for name, (code, _) in applied.items()} == dict.fromkeys(applied, 0), applied
        assert list(applied) == ["Apply", "Verify", "Compare with the registry"]
        schema = repo / CONTRACT.with_name("v1.0.json")
        schema.write_text(schema.read_text().replace("maxLength", "minLength", 1))
        stopped = run(repo, "check", environment)
    assert {name: code for name, (code, _) in stopped.items()} == {"Lint": 100}
