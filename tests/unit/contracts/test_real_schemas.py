"""Real governments' schemas can be registered as contracts, unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from contracts import Catalog
from contracts.imports.sources import import_schema
from contracts.lint.lint import lint
from contracts.validation import CompiledSchema
from tests.real_catalogs import (
    CLOUD_EVENT,
    FILING,
    SIGNAL,
    RealCatalog,
    bc_registries,
    nhs_mns,
    shared_folder,
)


@pytest.fixture
def filings(tmp_path: Path) -> RealCatalog:
    """The business registry's catalogue."""
    folder = shared_folder("bc-registries")
    if folder is None:
        pytest.skip("no folder shared/real/bc-registries here: GOVBUS_SHARED names the folder `shared`")
    return bc_registries(folder, tmp_path / "catalog")


@pytest.fixture
def signals(tmp_path: Path) -> RealCatalog:
    """The notification service's catalogue."""
    folder = shared_folder("nhs-mns")
    if folder is None:
        pytest.skip("no folder shared/real/nhs-mns here: GOVBUS_SHARED names the folder `shared`")
    return nhs_mns(folder, tmp_path / "catalog")


def judged(real: RealCatalog) -> dict[str, bool]:
    """What each example's contract says of it."""
    catalog = Catalog.open(real.root)
    return {
        example.name: catalog.contract(example.subject).version().is_valid(example.data)
        for example in real.examples
    }


def test_the_66_schemas_of_a_business_registry_are_one_contract(filings: RealCatalog) -> None:
    """Draft-07 with `$ref` across 66 files by `$id`, in circles too: it loads, and works as a contract."""
    version = Catalog.open(filings.root).contract(FILING).version()
    assert len(version.references) == 65
    assert lint(filings.root, use="MINIMAL") == ()


def test_a_filing_is_imported_with_all_it_refers_to(filings: RealCatalog) -> None:
    """Of 66 files, by `$id`, into one schema that judges the examples as the 66 do."""
    folder = shared_folder("bc-registries")
    assert folder is not None
    imported = import_schema(str(folder / "schemas/filing.json"))
    schema = CompiledSchema(imported.schema, {}, assert_formats=True)
    found = {example.name: schema.is_valid(example.data) for example in filings.examples}
    assert found == {example.name: example.accepted for example in filings.examples}


def test_the_filings_are_judged_as_read(filings: RealCatalog) -> None:
    """16 example filings pass; 5 are unfinished and fail."""
    assert judged(filings) == {example.name: example.accepted for example in filings.examples}
    assert sum(example.accepted for example in filings.examples) == 16
    assert len(filings.examples) == 21


def test_a_filing_is_keyed_by_its_business(filings: RealCatalog) -> None:
    """The business number is public and in every filing."""
    contract = Catalog.open(filings.root).contract(FILING)
    keys = {contract.key_of(example.data) for example in filings.examples if example.accepted}
    assert "CP1234567" in keys
    assert all(key.isalnum() for key in keys)


def test_health_signals_keep_their_own_schema(signals: RealCatalog) -> None:
    """14 FHIR signals pass; of 9 CloudEvents, 3 of the older form fail; no signal must fail."""
    assert judged(signals) == {example.name: example.accepted for example in signals.examples}
    assert (
        sorted(example.subject for example in signals.examples if not example.accepted) == [CLOUD_EVENT] * 3
    )
    assert sum(example.subject == SIGNAL for example in signals.examples) == 14
    assert [finding.code for finding in lint(signals.root, use="BASIC")] == ["example-present"]


def test_a_patient_number_cannot_be_the_key(signals: RealCatalog) -> None:
    """These CloudEvents have a patient's number in `subject`: as a key it is refused."""
    path = signals.root / "agencies/nhs-mns/cloud-event-sent/contract.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "key": {"path": "$.subject"}}))
    assert "key-not-personal" in {finding.code for finding in lint(signals.root)}


def test_a_refusal_of_a_real_event_tells_nothing_of_it(filings: RealCatalog, signals: RealCatalog) -> None:
    """Names and numbers of the examples are in no message."""
    for real in (filings, signals):
        catalog = Catalog.open(real.root)
        for example in real.examples:
            messages = " ".join(
                str(violation)
                for subject in catalog.contracts
                for violation in catalog.contract(subject).version().violations(example.data)
            )
            for secret in ("9912003888", "DAWKINS", "Griffin", "no_one@never.get"):
                assert secret not in messages
