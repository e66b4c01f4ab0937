"""The language of conversions: its numbers, its faults and their places, its cost, and the page about it."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsone import render

import contracts
from connectors.translation.mapping import compile_mapping
from contracts import Catalog, CatalogError, ConversionError
from contracts.documents.json_reader import exact_json
from contracts.lint.lint import lint
from contracts.versions.conversion import Conversion
from contracts.versions.converters import CONVERSION_OPTIONS, CONVERTERS
from contracts.versions.functions import FUNCTIONS
from contracts.versions.numbers import ValueConversionError, exact, json_number, number_text
from contracts.versions.run import MAX_STEPS, CostError, Run
from contracts.versions.templates import OPERATORS
from tests.unit.contracts.catalogs import CONTRACT, FOLDER, edit, schema, write

PAGE = (Path(contracts.__file__).parent / "versions" / "README.md").read_text("utf-8")
ROWS = [
    tuple(re.findall(r"`([^`]+)`|\| (?=\|)", line))
    for line in PAGE.splitlines()
    if line.startswith("| `") and line.count("|") == 5
]


def converted(template: Any, data: Any) -> Any:
    """What a document makes of data."""
    return Conversion("a.b", "1.0", "2.0", "up.json", template).apply(data)


def told(template: Any, data: Any = None) -> str:
    """What a document that fails says."""
    with pytest.raises(ConversionError) as caught:
        converted(template, data)
    return caught.value.what


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_of_the_page_is_true(row: tuple[str, str, str, str]) -> None:
    """Before and after, as a conversion and by the same word in a connector's mapping."""
    expression, mapping, before, after = row
    template = expression.strip("'") if expression.startswith("'$") else {"$eval": expression}
    made = json.dumps(converted(template, json.loads(before)), ensure_ascii=False)
    assert made == json.dumps(json.loads(after), ensure_ascii=False)
    if mapping:
        mapped = compile_mapping(yaml.safe_load(mapping)).evaluate(json.loads(before))
        assert json.dumps(mapped, ensure_ascii=False) == made


def test_the_page_names_every_word() -> None:
    """Functions, converters with their options, and operators; its rows were found."""
    assert len(ROWS) == 33
    for name in (*FUNCTIONS, *OPERATORS, *CONVERSION_OPTIONS):
        assert re.search(rf"(?<![\w$]){re.escape(name)}\b", PAGE), name
    assert CONVERTERS.keys() <= FUNCTIONS.keys()


def test_the_first_example_of_the_page_is_true() -> None:
    """The conversion gives the event after from the event before."""
    before, document, after = (
        json.loads(re.findall(rf"```json {word}\n(.*?)```", PAGE, re.DOTALL)[0])
        for word in ("before", "conversion", "after")
    )
    assert converted(document, before) == after


@pytest.mark.parametrize(
    ("expression", "data", "expected"),
    [
        ("number(event)", "9007199254740993", 9007199254740993),
        ("number(event)", "-1152921504606846977", -1152921504606846977),
        ("number(event)", "3.0", 3),
        ("number(event)", " 2e3 ", 2000),
        ("number(event)", "-0", 0),
        ("number(event)", "123456789012345678901234567890", 123456789012345678901234567890),
        ("event + 1", 9007199254740992, 9007199254740993),
        ("event * 3", 0.1, 0.3),
        ("event / 1", 9007199254740993, 9007199254740993),
        ("event / 8", 1, 0.125),
        ("0 - event", 0.0, 0),
        ("-event", 0.0, 0),
        ("event - 0.7", 1, 0.3),
        ("1.10 + 2.20", None, 3.3),
        ("floor(event / 3)", 9007199254740993, 3002399751580331),
        ("ceil(event)", 1.5, 2),
        ("abs(event)", -0.1, 0.1),
        ("max(event, 1.5)", 9007199254740993, 9007199254740993),
        ("str(event)", 1e-7, "0.0000001"),
        ("str(event)", -0.0, "0"),
        ("str(event)", 2.0, "2"),
        ("join([event, event], '/')", 1e21, "1000000000000000000000/1000000000000000000000"),
        ("sum([0.1, 0.2, '0.30'])", None, 0.6),
        ("sum([])", None, 0),
        ("round(2.5)", None, 3),
        ("round(-2.5)", None, -3),
        ("round(1 / 3, {digits: 4})", None, 0.3333),
        ("decimal(event)", "-0.00", "0.00"),
        ("decimal(event)", 1e-9, "0.000000001"),
        ("integer(event)", 3.0, 3),
        ("integer(event)", "-9223372036854775808", -9223372036854775808),
        ("1 < 1.5", None, True),
        ("event == 1", True, False),
        ("1 in [1.0]", None, True),
    ],
)
def test_no_digit_is_altered(expression: str, data: Any, expected: Any) -> None:
    """Whole numbers stay whole, decimals are decimal, text has every digit."""
    made = converted({"$eval": expression}, data)
    assert (made, type(made)) == (expected, type(expected))
    assert str(made) == str(expected)


@pytest.mark.parametrize(
    ("expression", "data", "word"),
    [
        ("event / 3", 1, "digits end"),
        ("number(event)", "0.12345678901234567890", "17 digits"),
        ("9007199254740993 + 0.5", None, "17 digits"),
        ("number(event)", "1,5", "text that is a number"),
        ("number(event)", "", "text that is a number"),
        ("number(event)", "nan", "text that is a number"),
        ("number(event)", "0x10", "text that is a number"),
        ("integer(event)", "18446744073709551616", "18446744073709551615"),
        ("integer(event)", 1.5, "a whole number"),
        ("decimal(event, {digits: 1})", "1.25", "at most 1 digits"),
        ("event / 0", 1, "division by zero"),
        ("sum(event)", [1, None], "list of numbers"),
        ("event * event * event * event * event", 10**300, "1,233 digits"),
    ],
)
def test_what_would_lose_digits_is_refused(expression: str, data: Any, word: str) -> None:
    """The message says what to do, with the expression."""
    what = told({"$eval": expression}, data)
    assert word in what
    assert what.endswith(f"in `{expression}`")


def test_exact_numbers_and_text_agree_with_fractions() -> None:
    """Every double of a wide range comes back as it was."""
    for exponent in range(-320, 308, 7):
        value = float(f"1.2345678901234567e{exponent}")
        number = exact(value)
        assert Fraction(number_text(value)) == number
        assert exact(json_number(number)) == number
    with pytest.raises(ValueConversionError):
        exact(float("inf"))


def test_a_constant_that_json_alters_is_a_fault() -> None:
    """The file says more digits than a float keeps."""
    template = exact_json('{"a": 0.1, "b": [0.12345678901234567890], "c": 1e400}')
    faults = Conversion("a.b", "1.0", "2.0", "up.json", template).read.faults
    assert [fault.spot.steps for fault in faults] == [("b", 0), ("c",)]


@pytest.mark.parametrize(
    ("document", "place", "words"),
    [
        ('{"a": {"$eval": "trim(event.name"}}', (1, 33), ["`)`", "`trim(event.name`"]),
        ('{\n  "a": "x ${event.name +} y"\n}', (2, 25), ["Expected a value, got `}`", "`event.name +`"]),
        ('{"a": {"$eval": "evnt.name"}}', (1, 18), ["unknown name `evnt`; did you mean `event`?"]),
        ('{"a": {"$eval": "1 + summ(event)"}}', (1, 22), ["did you mean `sum`"]),
        ('{"a": {"$eval": "pad(event, {length: 0})"}}', (1, 29), ["`length`", "from 1 to 1,000"]),
        ('{"a": {"$eval": "pad(event)"}}', (1, 18), ["`pad(value, {option: value})`"]),
        ('{"a": {"$eval": "pad(event, {fil: 1})"}}', (1, 35), ["unknown option `fil`", "`fill`"]),
        ('{"a": {"$eval": "date(event, {comma: true})"}}', (1, 38), ["unknown option `comma`"]),
        ('{"a": {"$eval": "\\"\\u00e9\\" + é"}}', (1, 31), ["got `é`"]),
        ('{"a": {"$eval": "event.a b"}}', (1, 26), ["got `b`"]),
        ('{"a": {"$eval": "\'open"}}', (1, 18), ["an end of this text"]),
        ('{"a": {"$eval": 7}}', (1, 17), ["as text, got `integer`"]),
        ('{"a": {"$eval": ""}}', (1, 18), ["Expected an expression, got the end"]),
        ('{"a": {"$eval": "now"}}', (1, 18), ["reads the clock"]),
        ('{"a": {"$evl": "event"}}', (1, 8), ["`$evl` is not allowed"]),
        ('{"a": {"$if": "true", "than": 1}}', (1, 23), ["`than` is not known beside `$if`", "`then`"]),
        ('{"a": {"$map": [1], "each": 1}}', (1, 7), ["each(name)", "`each` is not known"]),
        ('{"a": {"$switch": {"event ==": 1}}}', (1, 29), ["Expected a value, got the end"]),
        ('{"x${event": 1}', (1, 11), ["Expected `}`, got the end"]),
        ('{"a": [1, {"$eval": "2 ** 9"}]}', (1, 24), ["`**` is not allowed"]),
        ('{"a": {"$let": {"b": 1}, "in": {"$eval": "c"}}}', (1, 43), ["unknown name `c`"]),
        ('{"a": {"$eval": "event", "$if": "true"}}', (1, 26), ["an object has one operator"]),
        ('{"a": {"$sort": [1], "by(x)": "y"}}', (1, 32), ["unknown name `y`"]),
    ],
)
def test_a_fault_is_told_in_its_own_file(
    root: Path, document: str, place: tuple[int, int], words: list[str]
) -> None:
    """With line, column and expression; the catalogue does not open."""
    with_upcast(root, document)
    found = [finding for finding in lint(root) if finding.code == "conversion-readable"]
    assert (f"{FOLDER}/up.json", *place) in [
        (finding.place.file, finding.place.line, finding.place.column) for finding in found
    ]
    text = "\n".join(finding.what for finding in found)
    for word in words:
        assert word in text
    with pytest.raises(CatalogError):
        Catalog.open(root)


def with_upcast(root: Path, document: str) -> None:
    """A second version of the sound catalogue's event, made from the first by a document."""
    for name in ("v1.0", "v2.0"):
        write(root, f"{FOLDER}/{name}.json", schema())
    write(root, f"{FOLDER}/up.json", document)
    rows = [
        {"number": "1.0", "file": "v1.0.json"},
        {"number": "2.0", "file": "v2.0.json", "upcast": {"from": "1.0", "file": "up.json"}},
    ]
    edit(root, CONTRACT, lambda value: value.update(versions=rows))


def test_a_fault_that_only_data_shows_has_its_place_too(root: Path) -> None:
    """Lint and the error at run time name the same line, column and expression."""
    with_upcast(
        root, '{\n  "reference": {"$eval": "event.reference"},\n  "x": {"$eval": "event.\\u0070ayee.nme"}\n}'
    )
    (found,) = (finding for finding in lint(root) if finding.code == "conversion-proved")
    assert (found.place.file, found.place.line, found.place.column) == (f"{FOLDER}/up.json", 3, 36)
    assert 'object has no property "nme" - in `event.payee.nme`' in found.what
    contract = Catalog.open(root).contract("tax.refund-paid")
    upcast = contract.version(2).upcast
    assert upcast is not None
    with pytest.raises(
        ConversionError, match=r"`up\.json` at 3:36: Expected `object` before `\.nme`, got `null`"
    ):
        upcast.apply({"reference": "Zoë 4711", "payee": None})


@pytest.mark.parametrize(
    ("template", "data", "word"),
    [
        ({"$map": {"$eval": "event"}, "each(x)": 1}, "4711", "Expected `array` or `object`, got `string`"),
        ({"$merge": {"$eval": "event"}}, ["4711"], "array of objects, got `string`"),
        ({"$sort": {"$eval": "event"}}, ["4711", 1], "only numbers or only strings"),
        ({"a": "${event}"}, ["4711"], "Expected a single value, got `array`"),
        ({"$switch": {"true": 1, "event": 2}}, "4711", "at most one condition"),
        ({"$eval": "event[9]"}, "4711", "index out of bounds"),
        ({"$eval": "event - 1"}, "4711", "Expected numbers around `-`, got `string` and `integer`"),
        ({"$eval": "date(event)"}, "4711", "`date`: Expected a date as `YYYY-MM-DD`"),
        ({"$eval": "add(event, {hours: 1})"}, "2026-01-01", "got a date"),
        ({"$eval": "add(event, {years: 9000})"}, "2026-01-01", "between the years 1 and 9999"),
        ({"$eval": "pad(event, {length: 3})"}, "4711", "at most 3 characters"),
        ({"$eval": "pad('a', {length: event})"}, "4711", "write a whole number"),
    ],
)
def test_a_fault_says_what_was_expected_and_no_value(template: Any, data: Any, word: str) -> None:
    """Kinds and expressions, nothing of the data."""
    what = told(template, data)
    assert word in what
    assert "4711" not in what


def nested(depth: int) -> Any:
    """A document whose result doubles at each level."""
    node: Any = {"$eval": "a"}
    for _ in range(depth):
        node = {"$let": {"a": {"$eval": "[a, a]"}}, "in": node}
    return {"$let": {"a": {"$eval": "event"}}, "in": node}


@pytest.mark.parametrize(
    ("template", "data"),
    [
        (nested(40), "x"),
        ({"$let": {"a": {"$eval": "event"}}, "in": {"$eval": "join(split(event, ''), event)"}}, "x" * 9_000),
        (
            {
                "$map": {"$eval": "event"},
                "each(x)": {"$map": {"$eval": "event"}, "each(y)": {"$eval": "x + y"}},
            },
            list(range(2_000)),
        ),
        ({"$map": {"$eval": "event"}, "each(x)": {"$eval": "x in event"}}, list(range(5_000))),
        ([{"$eval": "event"}] * 40, ["x" * 40_000]),
    ],
)
def test_a_conversion_ends_soon_whatever_it_says(template: Any, data: Any) -> None:
    """The count of steps, or of the result's bytes, ends it, on every machine at the same place."""
    assert re.fullmatch(
        rf"it takes more than {MAX_STEPS:,} steps|the result is larger than 1,048,576 bytes",
        told(template, data),
    )


def test_two_values_that_share_their_parts_are_compared_within_the_steps() -> None:
    """A tree of 2^40 leaves, made of 40 lists."""
    node: Any = {"$eval": "a == b"}
    for _ in range(40):
        node = {"$let": {"a": {"$eval": "[a, a]"}, "b": {"$eval": "[b, b]"}}, "in": node}
    assert "steps" in told({"$let": {"a": [1], "b": [1]}, "in": node})


@pytest.mark.parametrize(
    "expression", ["(" * 5_000, "!" * 5_000 + "event", "-" * 5_000, "[" * 300, "1+" * 5_000 + "1"]
)
def test_long_expressions_are_read_or_refused(expression: str) -> None:
    """None exhausts the stack."""
    step = Conversion("a.b", "1.0", "2.0", "up.json", {"$eval": expression})
    assert step.read.faults or step.apply(1) is not None


ORACLE = [
    ({"a": {"$eval": "event.n + 1"}, "b": "${event.s}-${event.n}", "$$c": 1}, {"n": 4, "s": "é"}),
    ({"$if": "event.n > 3 && !(event.gone)", "then": "yes", "else": "no"}, {"n": 4, "gone": False}),
    ({"x": {"$if": "event.n", "then": 1}}, {"n": 0}),
    ([{"$if": "false", "then": 1}, 2], {}),
    (
        {"$map": {"$eval": "event.l"}, "each(x, i)": {"$if": "i != 1", "then": "${i}:${x}"}},
        {"l": ["a", "b", "c"]},
    ),
    ({"$map": {"$eval": "event"}, "each(v, k)": {"${k}2": {"$eval": "v * 2"}}}, {"a": 1, "b": 2}),
    ({"$map": {"$eval": "event"}, "each(y)": {"${y.key}": {"$eval": "y.val"}}}, {"a": 1}),
    ({"$merge": [{"$eval": "event"}, {"b": 2}]}, {"a": 1, "b": 1}),
    ({"$mergeDeep": [{"$eval": "event"}, {"a": {"c": [2]}}]}, {"a": {"b": 1, "c": [1]}}),
    ({"$flatten": {"$eval": "event"}}, [[1, 2], 3, [[4]]]),
    ({"$reverse": {"$eval": "event"}}, [1, 2]),
    ({"$sort": {"$eval": "event"}, "by(p)": "p.n"}, [{"n": 2}, {"n": 1}]),
    ({"$sort": {"$eval": "event"}}, ["b", "a"]),
    ({"$switch": {"event == 1": "one", "$default": "other"}}, 2),
    ({"$let": {"a": {"$eval": "event + 1"}}, "in": {"$eval": "a * a"}}, 3),
    ({"$eval": "event['a b'][1:]"}, {"a b": [1, 2, 3]}),
    ({"$eval": "event[-1] + event[:2]"}, "xyz"),
    ({"$eval": "{a: 1, 'b c': [event, 2]}"}, 5),
    ({"$eval": "'b' in event || 2 in [1, 2]"}, {"a": 1}),
    ({"$eval": "2 + 3 * 4 - (1 - 5)"}, None),
    ({"$eval": "split(event, ',')"}, "a,b"),
    ({"$eval": "len(event) == 3 && typeof(event) == 'string'"}, "abc"),
    ({"$eval": "uppercase(strip(event)) + lowercase('X') + lstrip(' a') + rstrip('b ')"}, " é "),
    ({"$eval": "event.missing == null || true"}, {"missing": None}),
    ({"$eval": "event['missing']"}, {}),
    ("$${event} $${", {}),
    ({"a": "${event}"}, None),
    ({"a": "${event}"}, True),
]


@pytest.mark.parametrize(("template", "data"), ORACLE, ids=lambda value: json.dumps(value)[:60])
def test_the_language_is_that_of_json_e(template: Any, data: Any) -> None:
    """Where no number is a float, the results are those of the package."""
    expected = render(template, {"event": data})
    made = converted(template, data)
    assert json.dumps(made) == json.dumps(expected)


def test_equal_work_costs_equal_steps() -> None:
    """A run ends by its count, never by a clock."""
    run = Run()
    run.spend(MAX_STEPS)
    with pytest.raises(CostError):
        run.spend(1)
