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
        ({"from": "$.a", "as": "date", "format": "%d.%m.%y"}, ("format",), "add `pivot`"),
        ({"from": "$.a", "as": "date", "format": "%d.%m.%Y", "pivot": 1930}, ("format",), "remove `pivot`"),
        ({"from": "$.a", "as": "date", "pivot": 1930}, ("pivot",), "year"),
        ({"from": "$.a", "as": "date", "format": "%y", "pivot": 30_000}, ("format",), "from 1 to 9900"),
        ({"from": "$.a", "as": "date", "format": "%y", "pivot": True}, ("pivot",), "whole number"),
        ({"from": "$.a", "as": "date", "format": "%x"}, ("format",), "differs between machines"),
        ({"from": "$.a", "as": "date", "format": "%Y-%Q"}, ("format",), "no directive"),
        ({"from": "$.a", "as": "date", "format": "%Y%"}, ("format",), "no directive"),
        ({"from": "$.a", "as": "date", "format": "%d.%m."}, ("format",), "add the year"),
        ({"from": "$.a", "as": "datetime", "format": "%Y-%m-%d %H:%M %Z"}, ("format",), "`time_zone`"),
        ({"from": "$.a", "as": "datetime", "format": "%Y-%m-%d %H:%M %p"}, ("format",), "together"),
        ({"from": "$.a", "as": "datetime", "format": "%Y-%m-%d %I:%M"}, ("format",), "together"),
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


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("12,50", "12.50"), ("1250", "1250"), ("1.234", "1234"), ("1.234.567,8", "1234567.8"),
        ("1 234,50", "1234.50"), ("1\u202f234\u202f567,5", "1234567.5"), ("-1.234,50", "-1234.50"),
        ("12.50", None), ("1.23", None), ("1.2345", None), ("12.34.567", None), ("1.234 567", None),
        ("1234.567", None), ("0.123", None), ("1,234.50", None), ("1,2,3", None), (".123", None),
        (12.5, "12.5"), (1250, "1250"), (1e22, "1" + "0" * 22),
    ],
)  # fmt: skip
def test_a_decimal_comma_needs_thousands_in_groups_of_three(written: Any, expected: str | None) -> None:
    """`12.50` is no thousand, and a number that is one already has no signs to remove."""
    mapping = compile_mapping({"from": "$.fee", "as": "decimal", "comma": True})
    if expected is None:
        with pytest.raises(RecordRejectedError):
            mapping.evaluate({"fee": written})
    else:
        assert expected == mapping.evaluate({"fee": written})


@pytest.mark.parametrize(
    ("format_", "written", "expected"),
    [
        ("%Y%m%d", "20261101", "2026-11-01"),
        ("%Y%m%d", "2026111", None),
        ("%Y%m%d", "202611 1", None),
        ("%d%m%Y", "1112026", None),
        ("%d.%m.%Y", "1.11.2026", "2026-11-01"),
        ("%d.%m.%Y", "1.11.26", None),
        ("%Y%j", "20261", None),
        ("%Y%j", "2026001", "2026-01-01"),
        ("%Y%m%d%H%M%S%f", "20261101235959123", "2026-11-01"),
        ("%Y%m%d%H%M%S", "2026110123595", None),
        ("%d %B %Y", "1 november 2026", "2026-11-01"),
        ("100%% %Y-%m-%d", "100% 2026-11-01", "2026-11-01"),
        ("%Y%m%d", "20260231", None),
    ],
)
def test_digits_without_a_sign_between_them_are_full_width(
    format_: str, written: str, expected: str | None
) -> None:
    """`2026111` may be January or November, so it is neither."""
    mapping = compile_mapping({"from": "$.on", "as": "date", "format": format_})
    if expected is None:
        with pytest.raises(RecordRejectedError):
            mapping.evaluate({"on": written})
    else:
        assert expected == mapping.evaluate({"on": written})


@pytest.mark.parametrize(
    ("pivot", "written", "expected"),
    [
        (1930, "07.03.30", "1930-03-07"),
        (1930, "07.03.29", "2029-03-07"),
        (1930, "07.03.00", "2000-03-07"),
        (1900, "07.03.68", "1968-03-07"),
        (2000, "07.03.99", "2099-03-07"),
        (1900, "29.02.00", None),
    ],
)
def test_a_two_digit_year_is_in_the_hundred_years_from_its_pivot(
    pivot: int, written: str, expected: str | None
) -> None:
    """The file says the century, not the machine; 29 February 1900 never was."""
    mapping = compile_mapping({"from": "$.on", "as": "date", "format": "%d.%m.%y", "pivot": pivot})
    if expected is None:
        with pytest.raises(RecordRejectedError):
            mapping.evaluate({"on": written})
    else:
        assert expected == mapping.evaluate({"on": written})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-10-25T01:59:59", "2026-10-24T23:59:59Z"),
        ("2026-10-25T02:00:00", "2026-10-25T00:00:00Z"),
        ("2026-10-25T02:59:59", "2026-10-25T00:59:59Z"),
        ("2026-10-25T03:00:00", "2026-10-25T02:00:00Z"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"),
    ],
)
def test_a_time_of_the_doubled_hour_is_the_first_unless_its_offset_says_otherwise(
    written: str, expected: str
) -> None:
    """The hour that a clock shows twice in autumn is read by summer time."""
    mapping = compile_mapping({"from": "$.at", "as": "datetime", "time_zone": "Europe/Paris"})
    assert expected == mapping.evaluate({"at": written})
