"""Whoever withdraws access waits for nobody's tidiness: what `plan` and `apply` refuse a catalogue for."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contracts.catalog import Catalog
from contracts.cli import contracts
from contracts.cluster.plan import Plan
from contracts.lint.lint import lint
from tests.unit.contracts.catalogs import CONTRACT, SCHEMA, SERVICE, edit, write
from tests.unit.contracts.histories import edit_contract, subscribe

SUBSCRIPTION = "agencies/treasury/subscriptions/tax.refund-paid.yaml"


@pytest.fixture
def planned(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[Catalog]:
    """The catalogues that came through to the cluster, which has nothing to change."""
    came: list[Catalog] = []

    async def plan(today: object) -> Plan:
        return Plan((), 0)

    def cluster(root: Path, *, catalog: Catalog, **options: Any) -> SimpleNamespace:
        came.append(catalog)
        return SimpleNamespace(plan=plan)

    point = SimpleNamespace(load=lambda: cluster)
    monkeypatch.setattr("contracts.commands.plan.entry_points", lambda group: (point,))
    subscribe(root, "treasury", ["$.reference"])
    (root / SERVICE).unlink()  # only the subscription uses the event
    return came


def plan(root: Path) -> Result:
    """Plan a catalogue, with stdout and stderr apart."""
    return CliRunner().invoke(contracts, ["plan", "--catalog", str(root)], prog_name="govbus contracts")


def test_the_last_reader_of_an_event_is_revoked_at_once(root: Path, planned: list[Catalog]) -> None:
    """That nobody reads it any more is told as a warning, and fails neither lint nor the plan."""
    shutil.rmtree(root / "agencies/treasury/subscriptions")
    told = [finding for finding in lint(root) if CONTRACT in finding.place.file]
    assert [(finding.code, finding.severity) for finding in told] == [("event-used", "warning")]
    assert plan(root).exit_code == 0
    assert [len(catalog.subscriptions) for catalog in planned] == [0]


def test_no_rule_of_style_holds_up_a_plan(root: Path, planned: list[Catalog]) -> None:
    """Lint fails; the plan goes on, and says how much is left."""
    edit(root, SCHEMA, lambda schema: schema["properties"]["reference"].pop("maxLength"))
    errors = [finding for finding in lint(root) if finding.severity == "error"]
    assert errors
    result = plan(root)
    assert (result.exit_code, len(planned)) == (0, 1)
    assert f"note: {len(errors)} findings of `lint` do not hold this up" in result.stderr


def test_what_pointed_at_a_removed_subscription_does_not_hold_it_up(
    root: Path, planned: list[Catalog]
) -> None:
    """Neither an exception of lint for its file, nor a waiver that nothing needs any more."""
    write(root, "catalog.yaml", {"lint": {"ignore": {"subscription-expires": [SUBSCRIPTION]}}})
    waiver = {
        "fingerprint": "0" * 16,
        "rule": "subscription-legal-basis",
        "reason": "Agreed.",
        "approvers": ["tax"],
    }
    write(root, "waivers.yaml", [{**waiver, "expires": "2999-12-31"}])
    (root / SUBSCRIPTION).unlink()
    assert {"config-path-exists", "waiver-used"} <= {finding.code for finding in lint(root)}
    assert (plan(root).exit_code, len(planned)) == (0, 1)


def test_what_a_catalogue_needs_to_work_holds_it_up(root: Path, planned: list[Catalog]) -> None:
    """`MINIMAL` and `BASIC`: a subscription to what is not there, a contract that nobody answers for."""
    edit(root, SUBSCRIPTION, lambda subscription: subscription.update(version=7))
    edit_contract(root, lambda contract: contract.update(owner=""))
    result = plan(root)
    assert (result.exit_code, planned) == (100, [])
    assert {line.split(" ")[1] for line in result.stdout.splitlines()} == {
        "subscription-version-exists",
        "owner-present",
    }
