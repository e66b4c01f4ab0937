"""A service has a code of any list: by default one of the United Nations', else of the catalogue's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.catalog import Catalog
from contracts.documents.categories import COFOG, SURVEY
from contracts.lint.config import read_config
from contracts.lint.coverage import measure
from contracts.lint.lint import lint
from tests.unit.contracts.catalogs import SERVICE, edit, write

OWN = {"justice/court": "A case before a court", "health/practice": "A visit to a doctor"}


def codes(root: Path) -> list[str]:
    """The rules that a catalogue breaks."""
    return [finding.code for finding in lint(root)]


@pytest.mark.parametrize("code", ["03.3", "07.2", "apply-for-visa"])
def test_a_court_and_a_practice_have_a_code_of_the_united_nations(root: Path, code: str) -> None:
    """COFOG has every function of a government, the Survey the services that it asks for."""
    edit(root, SERVICE, lambda value: value.update(category=code))
    assert codes(root) == []
    assert Catalog.open(root).services["refund"].category == code


def test_the_lists_are_whole() -> None:
    """69 groups of ten divisions, 26 services."""
    assert (len(COFOG), len({code[:2] for code in COFOG}), len(SURVEY)) == (69, 10, 26)


@pytest.mark.parametrize("form", ["mapping", "commas", "semicolons"])
def test_a_list_of_ones_own_replaces_them(root: Path, form: str) -> None:
    """As a mapping, or as a CSV file of an office for statistics; it is the plan then, too."""
    if form == "mapping":
        write(root, "catalog.yaml", {"services": {"categories": OWN}})
    else:
        between = "," if form == "commas" else ";"
        rows = [("code", "title", "note"), *((code, title, "x") for code, title in OWN.items())]
        write(root, "codes.csv", "".join(f"{between.join(row)}\n" for row in rows))
        write(root, "catalog.yaml", "services: {categories: codes.csv}")
    assert codes(root) == ["service-category-known"]
    edit(root, SERVICE, lambda value: value.update(category="justice/court"))
    assert codes(root) == []
    config, _ = read_config(root, {})
    assert dict(config.categories) == OWN
    assert [line.category for line in measure(Catalog.open(root), config.plan).categories] == list(OWN)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("services: {categories: none.csv}", "document-missing"),
        ("services: {categories: ../codes.csv}", "document-outside"),
        ("services: {categories: empty.csv}", "config-fields"),
        ("services: {categories: twice.csv}", "config-fields"),
        ("services: {categories: {}}", "config-fields"),
    ],
)
def test_a_list_that_cannot_be_used_is_told(root: Path, said: str, code: str) -> None:
    """With its place; the services are then judged by the lists of the United Nations."""
    write(root, "empty.csv", "code,title\n")
    write(root, "twice.csv", "code,title\n1,a\n1,b\n")
    write(root.parent, "codes.csv", "code,title\n1,a\n")
    write(root, "catalog.yaml", said)
    assert codes(root) == [code]


def test_a_near_miss_is_suggested(root: Path) -> None:
    """As everywhere."""
    edit(root, SERVICE, lambda value: value.update(category="aply-for-visa"))
    (finding,) = lint(root)
    assert "did you mean `apply-for-visa`?" in str(finding)
