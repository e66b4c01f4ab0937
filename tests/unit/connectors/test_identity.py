"""The same record is the same event, and no two records are."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import RecordRejectedError, SourceRecord
from connectors.identity import Identity, derived_id, event_id, transaction_id
from contracts import DataPath

PARTS = st.lists(st.text(max_size=8), min_size=1, max_size=5)


def test_an_id_is_a_uuid_of_version_8_and_never_changes() -> None:
    """The id of a known record stays what it is, since events out there bear it."""
    made = event_id("tax", "register", "tax.business-registered", "business/17")
    assert made == "a5bfaf50-fe5b-8d2e-825c-be4e7608e5a5"
    assert uuid.UUID(made).variant == uuid.RFC_4122
    assert made != transaction_id(made)


def test_named_values_make_records_of_two_places_the_same_fact() -> None:
    """Text and numbers keep apart, and no value can be taken for a place."""
    paths = Identity((DataPath.parse("$.reference"), DataPath.parse("$.revision")))

    def made(identity: Identity, place: str, revision: object) -> str:
        record = SourceRecord({"reference": "R-1", "revision": revision}, place)
        return event_id("tax", "register", "tax.business-registered", *identity.of(record))

    assert made(paths, "file-a/2", 1) == made(paths, "file-b/9", 1)
    different = [made(paths, "file-a/2", revision) for revision in (1, 2, "1", 1.5, True)]
    assert len({*different, made(Identity(), "file-a/2", 1), made(Identity(), "file-b/9", 1)}) == 7


@pytest.mark.parametrize("value", [None, "", "  ", {}, [1]])
def test_a_record_that_lacks_its_identity_is_rejected(value: object) -> None:
    """It is not taken for another record that lacks it too; no value is quoted."""
    record = SourceRecord({"reference": value}, "file/2")
    with pytest.raises(RecordRejectedError, match=r"publish\.identity.*\$\.reference"):
        Identity((DataPath.parse("$.reference"),)).of(record)


@given(one=PARTS, other=PARTS)
def test_different_parts_give_different_ids(one: list[str], other: list[str]) -> None:
    """Parts never run together."""
    assert (one == other) == (derived_id(*one) == derived_id(*other))
