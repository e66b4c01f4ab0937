"""A mapping gives what its table says, and an error says where, never what."""

from typing import Any

import pytest

from connectors import RecordRejectedError
from connectors.translation.mapping import MappingSyntaxError, compile_mapping

ROW = {
    "reference": "BRT-2026-0001",
    "Full name": " Zoë Ó Hara ",
    "born": "07/03/1990",
    "fee": "1.234,50",
    "phone": "  ",
    "sex": "F",
    "count": "12",
    "open": "yes",
    "lines": [{"amount": 3}],
    "seen": "2026-03-29 03:30",
    "none": None,
}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("$.reference", "BRT-2026-0001"),
        ('$["Full name"]', " Zoë Ó Hara "),
        ("$['Full name']", " Zoë Ó Hara "),
        (r'$["Full\u0020name"]', " Zoë Ó Hara "),
        ("$.lines[0].amount", 3),
        ("$$5", "$5"),
        ("constant", "constant"),
        (17, 17),
        (None, None),
        ({"a": {"b": "$.sex"}}, {"a": {"b": "F"}}),
        (["$.sex", {"from": "$.phone", "optional": True}], ["F"]),
        ({"from": '$["Full name"]', "as": ["trim", "upper"]}, "ZOË Ó HARA"),
        ({"from": "$.born", "as": "date", "format": "%d/%m/%Y"}, "1990-03-07"),
        ({"from": "$.fee", "as": "decimal", "comma": True}, "1234.50"),
        ({"from": "$.count", "as": "integer"}, 12),
        ({"from": "$.open", "as": "boolean"}, True),
        ({"from": "$.sex", "as": "lookup", "values": {"F": "female"}}, "female"),
        ({"from": "$.country", "default": "FR"}, "FR"),
        ({"from": "$.none", "default": "FR"}, "FR"),
        ({"a": {"from": "$.phone", "as": "trim", "optional": True}}, {}),
        ({"$from": "$.sex"}, {"from": "F"}),
        ("$.none", None),
        (
            {"from": "$.seen", "as": "datetime", "format": "%Y-%m-%d %H:%M", "time_zone": "Europe/Paris"},
            "2026-03-29T01:30:00Z",
        ),
    ],
)
def test_a_mapping_gives_what_its_table_says(written: Any, expected: Any) -> None:
    """Each form of the table in `connectors/translation/mapping.py` gives its value."""
    assert expected == compile_mapping(written).evaluate(ROW)


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("$.country", "$.country"),
        ("$.lines[1]", "$.lines[1]"),
        ({"from": "$.born", "as": "date"}, "$.born"),
        ({"from": "$.sex", "as": "integer"}, "$.sex"),
        ({"from": "$.sex", "as": "lookup", "values": {"M": "male"}}, "$.sex"),
        ({"from": "$.none", "as": "trim"}, "$.none"),
        ({"from": "$.seen", "as": "datetime"}, "$.seen"),
        ({"from": "$.fee", "as": "decimal"}, "$.fee"),
        ({"from": "$.lines", "as": "text"}, "$.lines"),
    ],
)
def test_a_record_that_does_not_fit_is_rejected_at_its_place(written: Any, place: str) -> None:
    """The error names the path and quotes no value of the record."""
    with pytest.raises(RecordRejectedError) as caught:
        compile_mapping(written).evaluate(ROW)
    assert str(caught.value).endswith(f"at `{place}`")
    for value in ("1990", "1.234", "Hara", "2026-03"):
        assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "steps", "hint"),
    [
        ("$.a..b", (), "write a path"),
        ("$.lines[*]", (), "write a path"),
        ({"x": {"from": "a"}}, ("x", "from"), "write a path"),
        ({"from": "$.a", "formt": "x"}, ("formt",), "did you mean `format`?"),
        ({"from": "$.a", "as": "dat"}, ("as",), "did you mean `date`?"),
        ({"from": "$.a", "as": {"date": 1}}, ("as",), "write one of"),
        ({"from": "$.a", "time_zone": "Mars/Olympus"}, ("time_zone",), "time zone"),
        ({"from": "$.a", "optional": "yes"}, ("optional",), "write a bool"),
        ([{"from": 5}], (0, "from"), "write a path"),
    ],
)
def test_a_mapping_that_cannot_be_compiled_says_where_and_what_instead(
    written: Any, steps: tuple[str | int, ...], hint: str
) -> None:
    """A syntax error has its place in the mapping and a remedy."""
    with pytest.raises(MappingSyntaxError) as caught:
        compile_mapping(written)
    assert steps == caught.value.steps
    assert hint in caught.value.fix


def test_a_time_that_the_clock_skipped_is_rejected() -> None:
    """In the night of summer time half past two does not exist in Paris."""
    mapping = compile_mapping({"from": "$.at", "as": "datetime", "time_zone": "Europe/Paris"})
    with pytest.raises(RecordRejectedError):
        mapping.evaluate({"at": "2026-03-29T02:30:00"})
    assert mapping.evaluate({"at": "2026-10-25T02:30:00"}) == "2026-10-25T00:30:00Z"
