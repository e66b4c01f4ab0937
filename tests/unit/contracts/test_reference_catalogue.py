"""The reference catalogue is what an architect may expect of a national one."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from contracts import Catalog
from contracts.lint.config import read_config
from contracts.lint.coverage import LEVELS, events_of, measure
from contracts.lint.lint import lint
from contracts.paths import parse_path
from contracts.project import REFERENCE_FOLDER
from contracts.schema.fields import schemas_at
from contracts.schema.references import root_of

SCRIPTS = {
    *("ARABIC", "ARMENIAN", "BENGALI", "CJK", "CYRILLIC", "DEVANAGARI", "ETHIOPIC", "GEORGIAN", "GREEK"),
    *("HANGUL", "HEBREW", "KHMER", "LAO", "LATIN", "SINHALA", "TAMIL", "TELUGU", "THAI"),
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The reference catalogue."""
    return Catalog.open()


def test_it_is_clean_at_the_highest_category() -> None:
    """No rule has anything to say, and none is switched off."""
    config, faults = read_config(REFERENCE_FOLDER, {})
    assert (config.use, config.lint.excepted, config.lint.ignored, faults) == (
        "STANDARD",
        frozenset(),
        {},
        (),
    )
    assert [str(finding) for finding in lint(REFERENCE_FOLDER)] == []


def test_it_is_as_large_as_its_readme_says(catalog: Catalog) -> None:
    """Seventeen agencies of three levels, 89 events, 26 services."""
    assert (len(catalog.agencies), len(catalog.contracts), len(catalog.services)) == (17, 89, 26)
    assert {agency.level for agency in catalog.agencies.values()} == set(LEVELS)
    assert "17 agencies, 89 events and 26 services" in (REFERENCE_FOLDER / "README.md").read_text()


def test_it_covers_the_national_plan(catalog: Catalog) -> None:
    """Every essential service of the E-Government Survey, end to end, with an assisted channel beside."""
    found = measure(catalog)
    assert [line.category for line in found.categories if not line.covered] == []
    assert [offer.service.name for offer in found.offers if offer.gaps] == []


def test_no_event_is_an_orphan(catalog: Catalog) -> None:
    """Each is part of a service, or somebody reads it."""
    used = {subject for service in catalog.services.values() for subject in events_of(service)}
    read = {subscription.subject for subscription in catalog.subscriptions.values()}
    assert set(catalog.contracts) - used - read == set()


def test_whoever_answers_an_event_may_read_it(catalog: Catalog) -> None:
    """A milestone of one agency after an event of another has the subscription that allows it."""
    granted = {(each.consumer, each.subject) for each in catalog.subscriptions.values()}
    for service in catalog.services.values():
        for hop in service.milestones:
            after = hop.after or service.start
            assert after.partition(".")[0] == hop.agency or (hop.agency, after) in granted, (
                service.name,
                hop,
            )


def test_each_subscription_reads_no_more_than_it_names(catalog: Catalog) -> None:
    """Every field named is in the schema; none reads everything; each has a basis, an approver and an end."""
    for each in catalog.subscriptions.values():
        version = catalog.contract(each.subject).version(each.major)
        root = root_of(version.schema, version.references)
        for path in each.fields:
            assert parse_path(path), each
            assert schemas_at(root, parse_path(path)), (each.consumer, each.subject, path)
        assert each.legal_basis
        assert each.approved_by
        assert each.expires is not None


def test_examples_are_of_people_everywhere() -> None:
    """Names and addresses come in many scripts, so that no connector is tried in one alone."""
    letters: set[str] = set()
    for path in (REFERENCE_FOLDER / "agencies").glob("*/*/examples/v*/valid/*.json"):
        letters |= set(json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False))
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in letters if letter.isalpha()}
    assert SCRIPTS - scripts == set()


def test_every_contract_shows_two_that_pass_and_two_that_fail(catalog: Catalog) -> None:
    """One example tells what is usual; the second tells what else may come."""
    for contract in catalog.contracts.values():
        folder = Path(REFERENCE_FOLDER, "agencies", contract.agency, contract.event, "examples", "v1")
        for kind in ("valid", "invalid"):
            assert len(list((folder / kind).glob("*.json"))) >= 2, (contract.subject, kind)
