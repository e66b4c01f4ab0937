"""The events of a crash run: a contract's own examples with keys of their own, or the lines of a file."""

from pathlib import Path

import pytest

from bus.crash.samples import Samples, read_events, samples_for
from contracts import Catalog

CATALOG = Catalog.open()


@pytest.mark.parametrize("subject", sorted(CATALOG.contracts))
def test_every_contract_has_events_of_its_own_references(subject: str) -> None:
    """Whatever the form of its key: what is made is valid, and no two are the same case."""
    contract = CATALOG.contract(subject)
    samples = samples_for(contract, contract.versions[-1].major, None, {})
    made = [samples.sample(number) for number in range(60)]
    assert all(samples.version.is_valid(one.data) for one in made)
    assert len({contract.key_of(one.data) for one in made}) == 60
    assert len({one.key for one in made}) == 24


def test_given_events_are_published_as_they_are(tmp_path: Path) -> None:
    """Over and over, under the key that was given, else the contract's own."""
    file = tmp_path / "events.jsonl"
    file.write_text(
        '{"subject": "health.fitness-to-drive-certified", "data": {"reference": "DRV-2026-ZZ3310"}}\n\n'
        '{"subject": "health.fitness-to-drive-certified", "data": {"reference": "b"}, "key": "k"}\n'
    )
    (given,) = read_events(file).values()
    samples = Samples(CATALOG.contract("health.fitness-to-drive-certified").version(1), given=given)
    assert [samples.sample(n).key for n in range(3)] == ["DRV-2026-ZZ3310", "k", "DRV-2026-ZZ3310"]
