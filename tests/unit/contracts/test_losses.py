"""What a change takes from those who publish and read, where no schema decides."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contracts.cli import contracts
from tests.unit.contracts.catalogs import APPROVED, CONTRACT, FOLDER, SERVICE, edit, write
from tests.unit.contracts.histories import edit_contract, publish, subscribe

SUBSCRIPTION = "agencies/treasury/subscriptions/tax.refund-paid.yaml"
YESTERDAY = str(datetime.now(UTC).date() - timedelta(days=1))
SOON = str(datetime.now(UTC).date() + timedelta(days=7))
READER = ("treasury", "ledger")
PUBLISHER = ("tax", None)

Alter = Callable[[Path], Any]


@pytest.fixture
def before(root: Path) -> Path:
    """Two major versions side by side, a reader of the older one; `root` is then changed."""
    subscribe(root, "treasury", ["$.reference", "$.payee"])
    write(root, f"{FOLDER}/up.json", {"$merge": [{"$eval": "event"}, {"paid_on": "2026-01-01"}]})
    write(root, f"{FOLDER}/down.json", {"$eval": "event"})
    publish(
        root,
        "2.0",
        lambda schema: schema["required"].append("paid_on"),
        upcast={"from": "1.0", "file": "up.json"},
        downcast={"to": "1.0", "file": "down.json"},
    )
    row(0, deprecated=True, sunset="2999-12-31")(root)
    write(root, "cluster.yaml", {"publish_bytes_per_second": 9000, "spared_principals": ["User:backup"]})
    return Path(shutil.copytree(root, root.parent / "before"))


def row(index: int, **fields: Any) -> Alter:
    """Change a row of `versions`; None removes a field."""

    def change(contract: dict[str, Any]) -> None:
        listed = contract["versions"][index]
        listed.update(fields)
        for name in [name for name, value in listed.items() if value is None]:
            del listed[name]

    return lambda root: edit_contract(root, change)


def fact(**fields: Any) -> Alter:
    """Change a field of the contract."""
    return lambda root: edit_contract(root, lambda contract: contract.update(fields))


def grant(**fields: Any) -> Alter:
    """Change a field of the subscription; None removes it."""

    def change(document: dict[str, Any]) -> None:
        document.update(fields)
        for name in [name for name, value in document.items() if value is None]:
            del document[name]

    return lambda root: edit(root, SUBSCRIPTION, change)


def gone(*files: str) -> Alter:
    """Remove files or folders."""

    def change(root: Path) -> None:
        for file in files:
            path = root / file
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def run(command: str, root: Path, before: Path, *words: str) -> Result:
    """Compare a catalogue with the one before it."""
    said = [command, "--catalog", str(root), "--against", str(before), *words]
    return CliRunner().invoke(contracts, said, prog_name="govbus contracts")


CHANGES: dict[str, tuple[Alter, str, str, list[tuple[str, str | None]]]] = {
    "subscription removed": (gone(SUBSCRIPTION), "subscription-kept", "error", [READER]),
    "subscription renamed": (grant(purpose="books"), "subscription-kept", "error", [READER]),
    "subscription ended": (grant(expires=YESTERDAY), "subscription-kept", "error", [READER]),
    "subscription ends earlier": (grant(expires="2998-01-01"), "subscription-kept", "error", [READER]),
    "approval withdrawn": (grant(approved_by=None), "subscription-kept", "error", [READER]),
    "approval not yet in force": (grant(approved_on="2999-01-01"), "subscription-kept", "error", [READER]),
    "subscription of another version": (grant(version=2), "subscription-kept", "error", [READER]),
    "fields narrowed": (grant(fields=["$.reference", "$.payee.name"]), "grant-kept", "warning", [READER]),
    "sunset moved to yesterday": (row(0, sunset=YESTERDAY), "sunset-kept", "error", [READER, PUBLISHER]),
    "sunset moved to next week": (row(0, sunset=SOON), "sunset-kept", "error", [READER, PUBLISHER]),
    "sunset set for yesterday": (row(1, sunset=YESTERDAY), "sunset-kept", "error", [PUBLISHER]),
    "sunset set for next week": (row(1, sunset=SOON), "sunset-announced", "warning", [PUBLISHER]),
    "downcast removed": (row(1, downcast=None), "conversion-kept", "error", [READER]),
    "upcast removed": (row(1, upcast=None), "conversion-kept", "error", []),
    "retention shortened": (fact(retention="P1D"), "retention-kept", "warning", [READER]),
    "key changed": (fact(key={"path": "$.payee.name"}), "key-kept", "error", [READER]),
    "partitions changed": (fact(partitions=9), "partitions-kept", "warning", [READER]),
    "size reduced": (fact(max_bytes=1000), "max-bytes-kept", "warning", [PUBLISHER]),
    "mode loosened": (fact(compatibility="FULL"), "compatibility-kept", "error", [READER]),
    "class changed": (fact(other_fields="public"), "classification-kept", "warning", [READER]),
    "personal field dropped": (
        fact(personal_fields={"$.payee.name": "name"}),
        "classification-kept",
        "warning",
        [READER],
    ),
    "quota lowered": (
        lambda root: edit(root, "cluster.yaml", lambda value: value.update(publish_bytes_per_second=10)),
        "cluster-kept",
        "warning",
        [PUBLISHER, ("treasury", None)],
    ),
    "service removed": (gone(SERVICE), "service-kept", "error", [PUBLISHER]),
    "contract removed": (gone(FOLDER), "contract-kept", "error", [READER, PUBLISHER]),
}


@pytest.mark.parametrize("case", CHANGES)
def test_whoever_loses_something_is_told(root: Path, before: Path, case: str) -> None:
    """`breaking` tells the promise, `impact` each one who loses; a warning does not fail."""
    change, code, severity, losers = CHANGES[case]
    change(root)
    result = run("breaking", root, before, "--json")
    (told,) = [each for line in result.stdout.splitlines() if (each := json.loads(line))["code"] == code]
    assert told["severity"] == severity
    assert told.get("readers", []) == [f"{agency} ({name})" for agency, name in losers if name]
    assert told.get("publishers", []) == [agency for agency, name in losers if name is None]
    assert result.exit_code == (100 if severity == "error" else 0)
    result = run("impact", root, before, "--format", "json")
    lost = [each for line in result.stdout.splitlines() if (each := json.loads(line)).get("rule") == code]
    assert [(each["agency"], each["subscription"]) for each in lost] == losers
    assert {(each["effect"], each["severity"]) for each in lost} == (
        {("loses", severity)} if losers else set()
    )
    assert result.exit_code == (100 if severity == "error" and losers else 0)


def test_the_words_say_who_loses_what(root: Path, before: Path) -> None:
    """In the text of both commands."""
    gone(SUBSCRIPTION)(root)
    text = run("breaking", root, before).stdout
    assert "`treasury` loses `tax.refund-paid.v1`: subscription `ledger` was removed" in text
    assert "    loses something: treasury (ledger)" in text.splitlines()
    lines = run("impact", root, before).stdout.splitlines()
    assert lines[:2] == ["tax.refund-paid", "  loses something: treasury (ledger)"]
    assert "subscription `ledger` was removed" in lines[2]


def test_a_reader_that_has_moved_leaves_the_older_version_without_a_waiver(root: Path, before: Path) -> None:
    """It had a subscription to the newer one beside; one that changes its only subscription does not."""
    for folder in (root, before):
        edit(folder, SUBSCRIPTION, lambda document: document.update(name="ledger-2", version=2))
        shutil.move(folder / SUBSCRIPTION, folder / SUBSCRIPTION.replace(".yaml", ".next.yaml"))
        subscribe(folder, "treasury", ["$.reference"])
    gone(SUBSCRIPTION)(root)
    result = run("breaking", root, before, "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["code"], each["severity"]) for each in told] == [("grant-kept", "warning")]
    assert result.exit_code == 0


def test_an_agency_takes_its_events_and_subscriptions_with_it(root: Path, before: Path) -> None:
    """Each is told; the reader loses the agency's events."""
    gone("agencies/treasury")(root)
    told = [json.loads(line) for line in run("breaking", root, before, "--json").stdout.splitlines()]
    assert [each["code"] for each in told] == ["agency-kept", "subscription-kept"]


def test_a_new_minor_version_without_the_downcast_starves_older_readers(root: Path, before: Path) -> None:
    """Publishers that move to it no longer reach them."""
    publish(root, "2.1", lambda schema: schema["required"].append("paid_on"))
    told = [json.loads(line) for line in run("breaking", root, before, "--json").stdout.splitlines()]
    assert [(each["code"], each["what"]) for each in told] == [
        ("conversion-kept", "events published as 2.1 no longer reach readers of version 1")
    ]


def test_a_conversion_that_changed_is_told(root: Path, before: Path) -> None:
    """It may no longer give a field that its readers use."""
    write(root, f"{FOLDER}/down.json", {"reference": {"$eval": "event.reference"}, "payee": {"name": "A"}})
    told = [json.loads(line) for line in run("breaking", root, before, "--json").stdout.splitlines()]
    assert [(each["code"], each["severity"], each["readers"]) for each in told] == [
        ("conversion-unchanged", "warning", ["treasury (ledger)"])
    ]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (row(0, sunset=YESTERDAY), row(0, sunset="2020-01-01")),
        (row(0, sunset=YESTERDAY), gone(SUBSCRIPTION)),
        (grant(expires=YESTERDAY), gone(SUBSCRIPTION)),
        (grant(approved_by=None), gone(SUBSCRIPTION)),
        (lambda root: None, grant(expires=None)),
        (lambda root: None, grant(fields=["$"])),
        (lambda root: None, row(0, sunset="3000-12-31")),
        (lambda root: None, fact(retention="P90D", max_bytes=300_000)),
        (lambda root: None, lambda root: write(root, SUBSCRIPTION, "subject: [")),
    ],
)
def test_nobody_loses_what_has_ended_or_grows_or_cannot_be_read(
    root: Path, before: Path, first: Alter, then: Alter
) -> None:
    """After a sunset, an end or without approval; and a longer time takes nothing."""
    for folder in (root, before):
        first(folder)
    then(root)
    codes = {json.loads(line)["code"] for line in run("breaking", root, before, "--json").stdout.splitlines()}
    assert codes <= {"document-syntax"}


def test_a_break_hits_readers_that_lose_the_field_in_the_same_change(root: Path, before: Path) -> None:
    """Their programs still run: a narrower grant does not hide the break."""
    grant(fields=["$.reference"])(root)
    publish(root, "1.1", lambda schema: schema["properties"]["payee"].update({"$ref": "#/$defs/other"}) or (
        schema["$defs"].update(other={"type": "object", "properties": {"name": {"type": "integer"}}})
    ))  # fmt: skip
    told = [json.loads(line) for line in run("breaking", root, before, "--json").stdout.splitlines()]
    broken = [each for each in told if each.get("verdict") == "incompatible"]
    assert {reader for each in broken for reader in each["readers"]} == {"treasury (ledger)"}
    shown = [json.loads(line) for line in run("impact", root, before, "--format", "json").stdout.splitlines()]
    assert {each["effect"] for each in shown if each["agency"] == "treasury"} == {"breaks", "loses"}


def test_spared_principals_and_other_contracts(root: Path, before: Path) -> None:
    """Who is no longer spared is named; a contract that nobody reads takes from its publisher."""
    edit(root, "cluster.yaml", lambda value: value.pop("spared_principals"))
    gone(APPROVED, SERVICE)(root)
    told = [json.loads(line) for line in run("breaking", root, before, "--json").stdout.splitlines()]
    assert sorted(each["code"] for each in told) == ["cluster-kept", "contract-kept", "service-kept"]
    assert any("`User:backup`" in each["what"] for each in told)
    assert CONTRACT not in {each["file"] for each in told}
