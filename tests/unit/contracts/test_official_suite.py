"""Both validators against the official JSON Schema test suite, every difference pinned.

The suite lies in `compat/` of the folder named by `GOVBUS_SHARED`, by default `shared` beside the repository.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts import SchemaUnusableError
from contracts.schema.dialect import DRAFT_2020_12
from contracts.schema.formats import ASSERTED
from contracts.schema.reference_validator import reference_validator
from contracts.validation import CompiledSchema

SHARED = Path(os.environ.get("GOVBUS_SHARED", Path(__file__).resolve().parents[4] / "shared"))
IGNORED = "vocabulary: ignore unrecognized optional vocabulary"
CUSTOM = "vocabulary: schema that uses custom metaschema with with no validation vocabulary"
OTHER_META_SCHEMAS = {
    f"{IGNORED}: number value",
    f"{IGNORED}: string value",
    f"{CUSTOM}: applicator vocabulary still works",
    f"{CUSTOM}: no validation: invalid number, but it still validates",
    f"{CUSTOM}: no validation: valid number",
}
ESCAPE = "pattern: pattern with Unicode property escape requires unicode mode"
NAMES = "patternProperties: patternProperties with Unicode property escape"
Case = tuple[str, dict[str, Any], object, bool]


def suite(name: str) -> dict[str, Any]:
    """A file of the suite."""
    path = SHARED / "compat" / f"json_schema_test_suite_draft2020-12{name}.json"
    if not path.is_file():
        pytest.skip("no folder shared/compat here: GOVBUS_SHARED names the folder `shared`")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def cases(loaded: dict[str, Any], files: Callable[[str], bool] = lambda _: True) -> Iterator[Case]:
    """Each test whose schema is an object: its name, schema, data and verdict."""
    for file in loaded["files"]:
        for group in file["groups"] if files(Path(file["file"]).stem) else ():
            if isinstance(group["schema"], dict):
                for test in group["tests"]:
                    name = f"{Path(file['file']).stem}: {group['description']}: {test['description']}"
                    yield name, {"$schema": DRAFT_2020_12, **group["schema"]}, test["data"], test["valid"]


def remotes(loaded: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The suite's further documents of this dialect, or of none, by URI."""
    return {
        uri: document
        for uri, document in loaded.get("remotes", {}).items()
        if isinstance(document, dict) and document.get("$schema", DRAFT_2020_12) == DRAFT_2020_12
    }


def fast(
    schema: dict[str, Any], references: dict[str, dict[str, Any]], data: object, *, formats: bool
) -> object:
    """What jsonschema-rs says; the name of the error where it cannot tell."""
    try:
        return CompiledSchema(schema, references, assert_formats=formats).is_valid(data)
    except SchemaUnusableError as error:
        return type(error).__name__


def plain(
    schema: dict[str, Any], references: dict[str, dict[str, Any]], data: object, *, formats: bool
) -> object:
    """What jsonschema says; the name of the error where it cannot tell."""
    try:
        return reference_validator(schema, references, assert_formats=formats).judged(data, limit_seconds=60)
    except SchemaUnusableError as error:
        return type(error).__name__


def wrong(judge: Callable[..., object], name: str = "", *, formats: bool = False) -> set[str]:
    """The tests in which a validator differs from the suite."""
    loaded = suite(name)
    known = remotes(loaded)
    files = ASSERTED.__contains__ if formats else lambda _: True
    return {
        title
        for title, schema, data, valid in cases(loaded, files)
        if judge(schema, known, data, formats=formats) != valid
    }


def test_the_compiled_validator_differs_from_the_suite_only_where_we_refuse_the_dialect() -> None:
    """Five tests are of meta-schemas of their own, which lint refuses as a dialect; all others agree."""
    assert wrong(fast) == OTHER_META_SCHEMAS


def test_the_reference_validator_differs_from_the_suite_in_the_same_tests() -> None:
    """It matches patterns by `regex`, which knows Unicode properties."""
    assert wrong(plain) == OTHER_META_SCHEMAS


def test_the_compiled_validator_asserts_the_five_formats_as_the_suite_does() -> None:
    """date, date-time, email, uri, uuid: no difference."""
    assert wrong(fast, "_optional_format", formats=True) == set()


def test_the_reference_validator_asserts_the_five_formats_as_the_suite_does() -> None:
    """Two independent readings of the formats agree with the suite."""
    assert wrong(plain, "_optional_format", formats=True) == set()
