"""Coverage: what of the national plan is offered electronically end to end, and what keeps the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contracts import Catalog
from contracts.cli import contracts
from contracts.documents.categories import SURVEY
from contracts.lint.coverage import GAPS, measure
from tests.unit.contracts.catalogs import SERVICE, edit, write

CATEGORY = "submit-income-tax"


def run(*words: str | Path) -> Result:
    """Run the command with stdout and stderr apart."""
    return CliRunner().invoke(contracts, ["coverage", *(str(word) for word in words)])


def sole(catalog: Catalog, **changes: Any) -> Catalog:
    """The small catalogue with its one service changed."""
    (service,) = catalog.services.values()
    return replace(catalog, services={service.name: replace(service, category=CATEGORY, **changes)})


@pytest.fixture
def catalog(root: Path) -> Catalog:
    """A catalogue with one whole service of the category `submit-income-tax`."""
    return sole(Catalog.open(root), channels=("web", "counter"))


def test_a_whole_service_covers_its_category(catalog: Catalog) -> None:
    """One of one asked for is 100 %, and the target is reached."""
    found = measure(catalog, [CATEGORY])
    assert (found.covered, found.percent, found.reached) == (1, 100.0, True)
    assert (found.levels["national"], found.agencies["tax"]) == (1, 1)
    assert {name for name, count in found.channels.items() if count} == {"web", "counter"}


@pytest.mark.parametrize(
    ("changes", "gap"),
    [
        ({"start": "tax.nowhere"}, "no-event"),
        ({"ends": ("tax.refund-approved",), "start": "tax.refund-approved"}, "no-end"),
        ({"deadline_seconds": inf}, "no-deadline"),
        ({"channels": ("counter", "mail")}, "no-digital"),
        ({"channels": ("web", "mobile", "kiosk")}, "no-assisted"),
    ],
)
def test_each_gap_leaves_the_category_uncovered(catalog: Catalog, changes: dict[str, Any], gap: str) -> None:
    """A service without events, outcome, deadline, digital or assisted channel counts for nothing yet."""
    found = measure(sole(catalog, **{"channels": ("web", "counter"), **changes}), [CATEGORY])
    ((offer,),) = [line.offers for line in found.categories]
    assert offer.gaps == (gap,)
    assert (found.covered, found.reached, found.agencies["tax"]) == (0, False, 0)


def test_a_whole_service_beside_a_broken_one_is_enough(catalog: Catalog) -> None:
    """Two services of one category: the whole one covers it, the other is still named."""
    (service,) = catalog.services.values()
    broken = replace(service, name="other", channels=())
    found = measure(replace(catalog, services={"refund": service, "other": broken}), [CATEGORY])
    assert found.reached
    assert [offer.gaps for offer in found.offers] == [(), ("no-digital", "no-assisted")]


def test_without_a_plan_every_essential_service_is_asked_for(catalog: Catalog) -> None:
    """The E-Government Survey's list, each once, in order; what it does not know of is told apart."""
    found = measure(catalog)
    assert [line.category for line in found.categories] == sorted(SURVEY)
    assert [offer.service.name for offer in measure(catalog, ["apply-for-visa"]).beyond] == ["refund"]


def test_the_target_may_be_less_than_all(catalog: Catalog) -> None:
    """Half of two reaches 50 %, and not 51 %."""
    plan = [CATEGORY, "apply-for-visa"]
    assert [measure(catalog, plan, target).reached for target in (50, 51)] == [True, False]


def test_the_command_reads_plan_and_target_from_the_catalogue(root: Path) -> None:
    """Exit code 100 below the target, 0 when it is reached."""
    edit(root, SERVICE, lambda value: value.update(category=CATEGORY, channels=["web", "counter"]))
    write(root, "catalog.yaml", {"services": {"plan": [CATEGORY, "apply-for-visa"], "target": 51}})
    missed = run("--catalog", root)
    assert missed.exit_code == 100
    assert "1 of 2 essential services" in missed.stdout
    assert "apply-for-visa" in missed.stdout
    write(root, "catalog.yaml", {"services": {"plan": [CATEGORY, "apply-for-visa"], "target": 50}})
    assert run("--catalog", root).exit_code == 0


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_a_service_with_gaps_is_named_with_each_of_them(root: Path, form: str) -> None:
    """Also one without deadline, which no other command would read."""
    edit(
        root,
        SERVICE,
        lambda value: (value.pop("deadline"), value.update(category=CATEGORY, channels=["web"])),
    )
    result = run("--catalog", root, "--format", form)
    assert result.exit_code == 100
    assert "refund" in result.stdout
    for gap in ("no-deadline", "no-assisted"):
        assert GAPS[gap] in result.stdout


def test_json_holds_what_the_text_says(root: Path) -> None:
    """For another program: the plan, each offer with its gaps, and the tallies."""
    told = json.loads(run("--catalog", root, "--format", "json").stdout)
    assert set(told) == {
        *("plan", "covered", "percent", "target", "reached"),
        *("services", "beyond", "levels", "agencies", "channels"),
    }
    assert (told["plan"], told["target"]) == (len(SURVEY), 100)


def test_a_broken_catalogue_is_a_failure_and_no_verdict(root: Path) -> None:
    """The place of the fault; a plan cannot be judged by half a catalogue."""
    write(root, "catalog.yaml", {"services": {"goal": 3}})
    result = run("--catalog", root)
    assert (result.exit_code, result.stdout) == (100, "")
    assert "services.goal" in result.stderr
