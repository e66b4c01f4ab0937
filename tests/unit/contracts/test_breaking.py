"""`govbus contracts breaking`: each promise that a change breaks is told, with what shows it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contracts.cli import contracts
from tests.unit.contracts.catalogs import CONTRACT, FOLDER, SCHEMA, edit, write
from tests.unit.contracts.histories import Change, committed, edit_contract, in_git, publish, subscribe

Told = list[tuple[str, str]]


def run(root: Path, *words: str | Path) -> Result:
    """Run the command with stdout and stderr apart."""
    said = ["breaking", "--catalog", str(root), *map(str, words)]
    return CliRunner().invoke(contracts, said, prog_name="govbus contracts")


@pytest.fixture
def before(root: Path, tmp_path: Path) -> Path:
    """The sound catalogue as it was; `root` is then changed."""
    return Path(shutil.copytree(root, tmp_path / "before"))


def found(root: Path, before: Path) -> list[dict[str, Any]]:
    """What is told about a change."""
    return [json.loads(line) for line in run(root, "--against", before, "--json").stdout.splitlines()]


def codes(root: Path, before: Path) -> Told:
    """Code and severity of what is told."""
    return [(each["code"], each["severity"]) for each in found(root, before)]


def test_a_change_that_breaks_nothing_is_silent(root: Path, before: Path) -> None:
    """The same; and an optional field more, under `FULL_TRANSITIVE`."""
    assert (run(root, "--against", before).exit_code, codes(root, before)) == (0, [])
    publish(root, "1.1", lambda schema: schema["properties"].update(note={"type": "string", "maxLength": 9}))
    result = run(root, "--against", before)
    assert (result.exit_code, result.output) == (0, "")


def test_a_minor_version_that_breaks_is_told_with_an_event_that_shows_it(root: Path, before: Path) -> None:
    """The place is that of the change; the event is valid before and not now; both modes are told."""
    publish(root, "1.1", lambda schema: schema["properties"]["reference"].update(maxLength=10))
    (told,) = found(root, before)
    assert told["code"] == "MAX_LENGTH_DECREASED"
    assert told["file"].endswith(f"{FOLDER}/v1.1.json")
    assert told["new_path"] == "#/properties/reference/maxLength"
    assert told["old_path"].startswith("#/properties/reference")
    assert 10 < len(told["witness"]["reference"]) <= 64
    assert "it would pass FORWARD and NONE" in told["what"]
    assert '"maxLength": 10' in Path(told["file"]).read_text().splitlines()[told["line"] - 1]


def test_a_break_names_the_readers_it_hits(root: Path) -> None:
    """Of two readers, only the one that reads the field."""
    subscribe(root, "treasury", ["$.reference"])
    subscribe(root, "statistics", ["$.paid_on"])
    before = shutil.copytree(root, root.parent / "before")
    publish(root, "1.1", lambda schema: schema["properties"]["reference"].update(maxLength=10))
    (told,) = found(root, before)
    assert told["readers"] == ["treasury (ledger)"]
    assert "    breaks: treasury (ledger)" in run(root, "--against", before).stdout.splitlines()


def _drop_version(contract: dict[str, Any]) -> None:
    contract["versions"].pop(0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda contract: contract.update(compatibility="BACKWARD"), ("compatibility-kept", "error")),
        (lambda contract: contract.update(key={"path": "$.payee.name"}), ("key-kept", "error")),
        (lambda contract: contract.update(content_model="as-written"), ("content-model-kept", "error")),
        (lambda contract: contract.update(formats="annotation"), ("formats-kept", "error")),
        (lambda contract: contract.update(retention="P29D"), ("retention-kept", "warning")),
        (lambda contract: contract.update(partitions=4), ("partitions-kept", "warning")),
        (lambda contract: contract.update(max_bytes=1000), ("max-bytes-kept", "warning")),
    ],
)
def test_a_promise_around_the_event_is_kept(
    root: Path, before: Path, change: Change, expected: tuple[str, str]
) -> None:
    """Mode, key, content model and formats are errors; sizes of the topic are warnings and pass."""
    edit_contract(root, change)
    assert codes(root, before) == [expected]
    assert run(root, "--against", before).exit_code == (100 if expected[1] == "error" else 0)


def test_a_stricter_promise_is_no_break(root: Path, before: Path) -> None:
    """Longer retention; a mode that asks more."""
    edit_contract(before, lambda contract: contract.update(compatibility="FULL", retention="P1D"))
    assert codes(root, before) == []


def test_a_stricter_mode_asks_about_versions_that_were_there(root: Path) -> None:
    """What `NONE` let through is told when the mode begins to ask."""
    edit_contract(root, lambda contract: contract.update(compatibility="NONE"))
    publish(root, "1.1", lambda schema: schema["required"].append("paid_on"))
    before = shutil.copytree(root, root.parent / "before")
    edit_contract(root, lambda contract: contract.update(compatibility="BACKWARD"))
    assert codes(root, before) == [("REQUIRED_ATTRIBUTE_ADDED", "error")]


def test_a_published_schema_does_not_change(root: Path, before: Path) -> None:
    """Not even its description; what has changed is told."""
    edit(root, SCHEMA, lambda schema: schema.update(description="Now described."))
    (told,) = found(root, before)
    assert told["code"] == "version-unchanged"
    assert told["what"] == "version 1.0 has changed, but only in descriptions"
    edit(root, SCHEMA, lambda schema: schema["properties"]["reference"].update(minLength=9))
    (told,) = found(root, before)
    assert told["what"].endswith("MIN_LENGTH_INCREASED, `minLength` from `8` to `9`")


def test_a_version_stays_until_its_sunset(root: Path) -> None:
    """Afterwards it may go."""
    publish(root, "1.1")
    before = shutil.copytree(root, root.parent / "before")
    edit_contract(root, _drop_version)
    assert codes(root, before) == [("version-kept", "error")]
    edit_contract(
        before, lambda contract: contract["versions"][0].update(deprecated=True, sunset="2020-01-01")
    )
    assert codes(root, before) == []


def test_a_contract_or_agency_that_goes_is_told(root: Path, before: Path) -> None:
    """Renamed when its schema is found under another name."""
    for folder in (root, before):
        shutil.rmtree(folder / "services")
    shutil.rmtree(root / "agencies/tax/refund-approved")
    assert codes(root, before) == [("contract-kept", "error")]
    shutil.copytree(root / FOLDER, root / "agencies/tax/refund-sent")
    text = (root / CONTRACT).read_text().replace("refund-paid", "refund-sent")
    write(root, "agencies/tax/refund-sent/contract.yaml", text)
    assert codes(root, before) == [("contract-name-kept", "error")]
    shutil.rmtree(root / "agencies/tax")
    assert {code for code, _ in codes(root, before)} == {"agency-kept", "contract-kept"}


def test_a_major_version_needs_a_reason_and_a_window(root: Path, before: Path) -> None:
    """One that breaks nothing is a hint; without a sunset of the old one, an error."""
    publish(root, "2.0")
    assert codes(root, before) == [("dual-publish-window", "error"), ("major-needed", "note")]
    sunset = {"deprecated": True, "sunset": "2999-12-31"}
    edit_contract(root, lambda contract: contract["versions"][0].update(sunset))
    assert codes(root, before) == [("major-needed", "note")]


def test_a_major_version_that_breaks_is_as_it_should_be(root: Path, before: Path) -> None:
    """A break between major versions is none."""
    publish(root, "2.0", lambda schema: schema["required"].append("paid_on"))
    sunset = {"deprecated": True, "sunset": "2999-12-31"}
    edit_contract(root, lambda contract: contract["versions"][0].update(sunset))
    assert codes(root, before) == []


def test_transitive_modes_ask_about_every_version(root: Path) -> None:
    """1.2 is read by 1.1 but not by 1.0, which is told once."""
    publish(root, "1.1", lambda schema: schema["properties"]["reference"].update(maxLength=80))
    before = shutil.copytree(root, root.parent / "before")
    for folder in (root, before):
        edit_contract(folder, lambda contract: contract.update(compatibility="FORWARD"))
    publish(root, "1.2", lambda schema: schema["properties"]["reference"].update(maxLength=80))
    assert codes(root, before) == []
    for folder in (root, before):
        edit_contract(folder, lambda contract: contract.update(compatibility="FORWARD_TRANSITIVE"))
    assert codes(root, before) == [("MAX_LENGTH_INCREASED", "error")]


def test_a_rule_can_be_left_out_and_a_finding_waived(root: Path, before: Path) -> None:
    """By `catalog.yaml`, everywhere or for a path; by `waivers.yaml`, once."""
    edit_contract(root, lambda contract: contract.update(compatibility="BACKWARD"))
    (told,) = found(root, before)
    for settings in (
        {"except": ["compatibility-kept"]},
        {"ignore": {"compatibility-kept": ["agencies/tax"]}},
    ):
        write(root, "catalog.yaml", {"breaking": settings})
        assert codes(root, before) == []
    (root / "catalog.yaml").unlink()
    waiver = {
        "fingerprint": told["fingerprint"],
        "rule": told["code"],
        "reason": "Nobody reads it yet.",
        "approvers": ["tax"],
        "expires": "2999-12-31",
    }
    write(root, "waivers.yaml", [waiver])
    assert codes(root, before) == []
    edit_contract(root, lambda contract: contract.update(compatibility="FULL_TRANSITIVE"))
    assert codes(root, before) == [("waiver-used", "error")]


def test_a_catalogue_that_cannot_be_read_is_told(root: Path, before: Path) -> None:
    """Now, with what lint says; before, that it cannot be compared."""
    write(root, CONTRACT, "subject: [")
    assert codes(root, before) == [("document-syntax", "error")]
    assert codes(before, root) == [("base-readable", "error")]


def test_findings_can_be_limited_to_a_path(root: Path, before: Path) -> None:
    """What lies elsewhere is not told and does not fail."""
    edit_contract(root, lambda contract: contract.update(compatibility="BACKWARD"))
    assert run(root, "--against", before, "--limit-to", root / FOLDER).exit_code == 100
    assert run(root, "--against", before, "--limit-to", root / "services").exit_code == 0


def test_the_default_is_where_the_branch_left_main(root: Path) -> None:
    """What came to `main` later is not this branch's change."""
    repository = root.parent
    committed(repository)
    committed(repository, "change")
    edit_contract(root, lambda contract: contract.update(retention="P29D"))
    in_git(repository, "stash", "--quiet")
    in_git(repository, "switch", "--quiet", "main")
    edit_contract(root, lambda contract: contract.update(partitions=7))
    committed(repository)
    in_git(repository, "switch", "--quiet", "change")
    in_git(repository, "stash", "pop", "--quiet")
    assert [line.split(" ")[1] for line in run(root).stdout.splitlines()] == ["retention-kept"]


def test_any_branch_tag_or_commit_can_be_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As buf writes it; `subdir` where the catalogue lay elsewhere."""
    repository = root.parent
    first = committed(repository)
    in_git(repository, "tag", "v1")
    in_git(repository, "branch", "release/one")
    in_git(repository, "mv", root.name, "moved")
    edit_contract(repository / "moved", lambda contract: contract.update(partitions=7))
    committed(repository)
    monkeypatch.chdir(repository)
    for name in ("tag=v1", "branch=release/one", f"ref={first}", "ref=HEAD~1"):
        result = run(Path("moved"), "--against", f".git#{name},subdir={root.name}")
        assert [line.split(" ")[1] for line in result.stdout.splitlines()] == ["partitions-kept"], name
    assert run(Path("moved"), "--against", ".git").output == ""


@pytest.mark.parametrize(
    "against",
    [
        ".git#branch=absent",
        ".git#branch=--upload-pack=touch${IFS}x",
        ".git#ref=-h",
        ".git#tag=v1,branch=main",
        ".git#depth=1",
        "nowhere",
        "nowhere#branch=main",
    ],
)
def test_a_wrong_against_is_wrong_usage(root: Path, against: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, and what can be passed."""
    committed(root.parent)
    monkeypatch.chdir(root.parent)
    result = run(root, "--against", against)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--against FOLDER" in " ".join(result.stderr.split())


def test_without_git_or_main_something_must_be_passed(root: Path) -> None:
    """Exit code 2: no repository; then a repository without a trunk."""
    assert run(root).exit_code == 2
    in_git(root, "init", "--quiet", "--initial-branch=elsewhere")
    committed(root)
    result = run(root)
    assert (result.exit_code, "`main`" in result.stderr) == (2, True)


def test_without_a_live_catalogue_the_tool_fails(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1: nothing installed knows the cluster."""
    monkeypatch.setattr("contracts.commands.against.entry_points", lambda group: ())
    result = run(root, "--against", "live")
    assert (result.exit_code, "govbus.contracts.live" in result.stderr) == (1, True)


def test_the_live_catalogue_is_what_the_cluster_has(
    root: Path, before: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever knows the cluster writes it into a folder, which is gone afterwards."""
    written: list[Path] = []

    def live(folder: Path) -> Path:
        written.append(Path(shutil.copytree(before, folder, dirs_exist_ok=True)))
        return folder

    cluster = SimpleNamespace(load=lambda: live)
    monkeypatch.setattr("contracts.commands.against.entry_points", lambda group: (cluster,))
    edit_contract(root, lambda contract: contract.update(retention="P1D"))
    assert [line.split(" ")[1] for line in run(root, "--against", "live").stdout.splitlines()] == [
        "retention-kept"
    ]
    assert [folder.exists() for folder in written] == [False]


def test_links_in_a_repository_are_refused(root: Path) -> None:
    """A link in the catalogue of a commit is not followed."""
    secret = write(root.parent, "secret.json", {"secret": 1})
    (root / FOLDER / "v1.0.json").unlink()
    (root / FOLDER / "v1.0.json").symlink_to(secret)
    committed(root)
    result = run(root, "--against", f"{root}/.git")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is a link or a submodule" in " ".join(result.stderr.split())


def test_nothing_in_a_repository_is_run(root: Path) -> None:
    """Hooks, monitors, attributes and replaced objects are the repository's own, and are not asked."""
    committed(root)
    trap = root / "trap"
    program = write(root, ".git/hooks/trap", f"#!/bin/sh\ntouch {trap}\n")
    program.chmod(0o755)
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        shutil.copy(program, root / ".git/hooks" / name)
    in_git(root, "config", "core.fsmonitor", str(program))
    in_git(root, "config", "filter.trap.smudge", str(program))
    write(root, ".git/info/attributes", "*.json filter=trap export-ignore\n")
    assert run(root, "--against", f"{root}/.git").output == ""
    assert not trap.exists()
