"""The page for other languages shows lines of the programs that `make backends` runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "bus" / "other-languages.md").read_text("utf-8")
BACKENDS = ROOT / "tests" / "backends"
PROGRAMS = {
    "python": "round_trip.py", "javascript": "javascript/round_trip.js", "java": "java/RoundTrip.java",
    "go": "go/round_trip.go",
}  # fmt: skip
VERSIONS = {"javascript/package.json": 2, "java/pom.xml": 2, "go/go.mod": 2}
"""How many versions of a table's row are those that a file pins."""


@pytest.mark.parametrize("language", PROGRAMS)
def test_each_line_is_one_of_the_program(language: str) -> None:
    """In any depth of its blocks."""
    program = {line.strip() for line in (BACKENDS / PROGRAMS[language]).read_text("utf-8").splitlines()}
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert [line for line in block.splitlines() if line.strip() not in program] == []


@pytest.mark.parametrize("file", VERSIONS)
def test_the_versions_are_those_that_are_tested(file: str) -> None:
    """The page says what was run, and no other."""
    language = file.partition("/")[0]
    (row,) = [line for line in PAGE.splitlines() if line.lower().startswith(f"| {language} ")]
    pinned = (BACKENDS / file).read_text("utf-8")
    named = re.findall(r"\d+\.\d+\.\d+", row)
    assert len(named) == VERSIONS[file]
    assert [version for version in named if version not in pinned] == []
