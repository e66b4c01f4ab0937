"""A catalogue is opened whole or refused, and read by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from contracts import (
    Catalog,
    CatalogError,
    ContractError,
    PartitionKeyError,
    SchemaUnusableError,
    UnknownContractError,
    UnknownVersionError,
)
from contracts.documents.loading import load
from contracts.finding import Place
from tests.unit.contracts.catalogs import AGENCY, CONTRACT, FOLDER, SCHEMA, edit, event, schema, write

COUNTRY = {
    "birth-of-a-child": (
        "civil-registry.birth-registered",
        {
            "health.record-opened": "civil-registry.birth-registered",
            "tax.taxpayer-number-assigned": "civil-registry.birth-registered",
            "social-security.child-allowance-granted": "tax.taxpayer-number-assigned",
        },
        {"health.record-opened", "social-security.child-allowance-granted"},
    ),
    "registering-a-business": (
        "tax.business-registered",
        {
            "municipality.business-permit-issued": "tax.business-registered",
            "social-security.employer-enrolled": "tax.business-registered",
        },
        {"municipality.business-permit-issued", "social-security.employer-enrolled"},
    ),
    "moving-house": (
        "municipality.move-reported",
        {
            "civil-registry.address-changed": "municipality.move-reported",
            "tax.address-updated": "civil-registry.address-changed",
            "health.practice-reassigned": "civil-registry.address-changed",
        },
        {"tax.address-updated", "health.practice-reassigned"},
    ),
}


def two_versions(root: Path) -> Catalog:
    """The sound catalogue with versions 1.0, 1.1 and 2.0, listed out of order."""
    numbers = ("2.0", "1.1", "1.0")
    for number in numbers:
        write(root, f"{FOLDER}/v{number}.json", schema())
    rows = [{"number": number, "file": f"v{number}.json"} for number in numbers]
    edit(root, CONTRACT, lambda value: value.update(versions=rows))
    return Catalog.open(root)


def test_the_reference_catalogue_holds_the_demo_country() -> None:
    """Three services of five agencies stand as the demo plays them."""
    catalog = Catalog.open()
    assert {"civil-registry", "health", "tax", "social-security", "municipality"} <= set(catalog.agencies)
    told = {
        name: (service.start, {hop.event: hop.after for hop in service.milestones}, set(service.ends))
        for name, service in catalog.services.items()
        if name in COUNTRY
    }
    assert told == COUNTRY


def test_every_event_of_the_country_has_an_opaque_reference_as_key() -> None:
    """The reference has one form everywhere, and is nobody's personal data."""
    for contract in Catalog.open().contracts.values():
        reference = contract.version().schema["properties"]["reference"]
        assert contract.key.path == "$.reference"
        assert (reference["minLength"], reference["maxLength"]) == (8, 64)
        assert reference["pattern"] == "^[A-Za-z0-9-]+$"


def test_the_values_are_as_written(root: Path) -> None:
    """Every field of the documents is found in the values."""
    catalog = Catalog.open(root)
    contract = catalog.contract("tax.refund-paid")
    assert (contract.agency, contract.event, contract.owner) == ("tax", "refund-paid", "Refunds Unit")
    assert contract.personal_fields == {"$.payee.name": "name", "$.amounts[*].cents": "finance"}
    assert (contract.retention_days, contract.max_bytes, contract.partitions) == (30.0, 262_144, 3)
    assert contract.compatibility == "FULL_TRANSITIVE"
    version = contract.version()
    assert version.type == "tax.refund-paid.v1"
    assert version.dataschema == "urn:govbus:contract:tax.refund-paid:1.0"
    assert version.contract is contract
    service = catalog.services["refund"]
    assert service.deadline_seconds == 14 * 86_400
    assert [(hop.agency, hop.deadline_seconds) for hop in service.milestones] == [("tax", 864_000.0)]
    assert catalog.agencies["tax"].level == "national"


def test_a_milestone_waits_for_the_start_unless_it_says_otherwise(root: Path) -> None:
    """`after` may be left out."""
    edit(root, "services/refund.yaml", lambda value: value["milestones"][0].pop("after"))
    assert Catalog.open(root).services["refund"].milestones[0].after == "tax.refund-approved"


def test_the_latest_version_that_fits_is_given(root: Path) -> None:
    """Versions are ordered by number, however they are listed."""
    contract = two_versions(root).contract("tax.refund-paid")
    assert [version.number for version in contract.versions] == ["1.0", "1.1", "2.0"]
    assert contract.version().number == "2.0"
    assert contract.version(1).number == "1.1"
    assert contract.version(1, 0).number == "1.0"
    with pytest.raises(UnknownVersionError, match=r"it has 1\.0, 1\.1, 2\.0"):
        contract.version(3)


def test_a_type_gives_the_latest_minor_and_a_dataschema_the_exact_version(root: Path) -> None:
    """Minor versions share a type; the data schema tells them apart."""
    catalog = two_versions(root)
    assert catalog.by_type("tax.refund-paid.v1").number == "1.1"
    assert catalog.by_dataschema("urn:govbus:contract:tax.refund-paid:1.0").number == "1.0"


@pytest.mark.parametrize("wanted", ["tax.refund-payed", "tax.refund-payed.v1"])
def test_an_unknown_subject_is_answered_with_the_close_one(root: Path, wanted: str) -> None:
    """A slip of the hand is named."""
    catalog = Catalog.open(root)
    ask = catalog.by_type if wanted.endswith("v1") else catalog.contract
    with pytest.raises(UnknownContractError, match=r"did you mean `tax\.refund-paid`"):
        ask(wanted)


def test_an_unknown_version_of_a_known_contract_is_another_error(root: Path) -> None:
    """Who asks for a version that is not there learns which are."""
    catalog = Catalog.open(root)
    with pytest.raises(UnknownVersionError, match=r"got `v9` - it has 1\.0"):
        catalog.by_type("tax.refund-paid.v9")
    with pytest.raises(UnknownVersionError, match=r"got `1\.7`"):
        catalog.by_dataschema("urn:govbus:contract:tax.refund-paid:1.7")


@pytest.mark.parametrize(
    "wanted", ["", "x" * 10_000, "Jane Doe\n", "\x1b[31m", ".v1", "urn:govbus:contract::"]
)
def test_what_does_not_look_like_a_name_is_not_repeated(root: Path, wanted: str) -> None:
    """A foreign record's type may hold anything; a message holds none of it."""
    catalog = Catalog.open(root)
    for ask in (catalog.contract, catalog.by_type, catalog.by_dataschema):
        with pytest.raises(UnknownContractError) as caught:
            ask(wanted)
        assert len(str(caught.value)) < 300
        assert str(caught.value).isprintable()
        assert "Jane" not in str(caught.value)


def test_a_faulty_folder_is_refused_with_every_finding(root: Path, tmp_path: Path) -> None:
    """The error's text is the first finding, its `findings` are all."""
    write(root, AGENCY, "name: [")
    write(root, SCHEMA, {})
    with pytest.raises(CatalogError, match=r"and 1 more: run `govbus contracts lint`") as caught:
        Catalog.open(root)
    assert [finding.code for finding in caught.value.findings] == ["document-syntax", "hash-agrees"]
    with pytest.raises(CatalogError, match="no such folder"):
        Catalog.open(tmp_path / "nowhere")


def test_what_only_lint_forbids_can_be_opened(root: Path) -> None:
    """A contract in the making runs: without owner, hash and examples."""
    edit(root, CONTRACT, lambda value: (value.pop("owner"), value["versions"][0].pop("sha256")))
    assert Catalog.open(root).contract("tax.refund-paid").owner == ""


def test_a_catalogue_is_frozen(root: Path) -> None:
    """Nothing of it can be set."""
    catalog = Catalog.open(root)
    with pytest.raises(TypeError):
        catalog.contracts["x"] = catalog.contract("tax.refund-paid")  # type: ignore[index]
    with pytest.raises(AttributeError):
        catalog.contract("tax.refund-paid").title = "x"  # type: ignore[misc]


def test_a_schema_is_compiled_at_its_first_use(root: Path) -> None:
    """A contract that nobody uses costs nothing, and its fault shows where it is used."""
    edit(root, SCHEMA, lambda value: value.update(type="objekt"))
    version = Catalog.open(root).contract("tax.refund-paid").version()
    for use in (version.compile, lambda: version.is_valid({}), lambda: version.violations({})):
        with pytest.raises(SchemaUnusableError):
            use()


def test_the_key_is_the_text_or_number_at_its_path(root: Path) -> None:
    """What is absent, empty or of another kind is no key; the error names the path only."""
    contract = Catalog.open(root).contract("tax.refund-paid")
    assert contract.key_of(event()) == "REF-000001"
    assert contract.key_of({"reference": 7}) == "7"
    unusable: list[object] = [None, "", True, 1.5, [], {}]
    odd: list[object] = [{}, [], None, "x"]
    for data in [*odd, *({"reference": value} for value in unusable)]:
        with pytest.raises(PartitionKeyError, match=r"at `\$\.reference`"):
            contract.key_of(data)


def test_every_error_says_whether_to_retry_and_why() -> None:
    """The tree has one root; reasons differ and are safe as labels."""
    errors: set[type[ContractError]] = {
        ContractError,
        CatalogError,
        PartitionKeyError,
        SchemaUnusableError,
        UnknownContractError,
        UnknownVersionError,
    }
    assert not any(error.retriable for error in errors)
    assert len({error.reason for error in errors}) == len(errors)


def test_hidden_folders_are_not_read(root: Path) -> None:
    """A version-control or editor folder among the agencies is no agency."""
    (root / "agencies" / ".git").mkdir()
    assert load(root).findings == []


def test_a_folder_that_cannot_be_read_is_a_finding(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No permission is a finding like any other, not a crash."""

    def refuse(_path: Path) -> NoReturn:
        raise PermissionError

    monkeypatch.setattr(os, "scandir", refuse)
    assert {finding.code for finding in load(root).findings} == {"document-missing"}


def test_a_place_reads_as_editors_read_it() -> None:
    """File, line, column."""
    assert str(Place("a.yaml", 3, 7)) == "a.yaml:3:7"
