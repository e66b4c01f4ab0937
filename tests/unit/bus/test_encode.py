"""Data as JSON: what a program means by a model, and what a contract takes."""

from datetime import date

import orjson
import pytest
from pydantic import BaseModel, Field

from bus.stages.encode import encode
from contracts import Catalog

BIRTH = Catalog.open().contract("civil-registry.birth-registered").version()


class Child(BaseModel):
    """A part of a model."""

    born: date = Field(alias="birth-date")
    sex: str | None = None


class Birth(BaseModel):
    """A model with fields that may be absent."""

    child: Child
    twins: list[Child] = []
    place: str | None = None
    office: str = "PE-014"


BORN = {"birth-date": "2026-02-28"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"child": BORN}, {"child": BORN, "twins": [], "office": "PE-014"}),
        (
            {"child": {**BORN, "sex": None}, "place": None},
            {"child": {**BORN, "sex": None}, "twins": [], "place": None, "office": "PE-014"},
        ),
        (
            {"child": BORN, "twins": [BORN, {**BORN, "sex": "f"}], "office": "NH-002"},
            {"child": BORN, "twins": [BORN, {**BORN, "sex": "f"}], "office": "NH-002"},
        ),
    ],
)
def test_a_field_that_nobody_set_is_absent_and_not_null(given: dict[str, object], sent: object) -> None:
    """What is set to None is null; a default is sent; names are those of JSON."""
    assert orjson.loads(encode(BIRTH, Birth.model_validate(given))) == sent
    assert orjson.loads(encode(BIRTH, {"birth": [Birth.model_validate(given)]})) == {"birth": [sent]}
