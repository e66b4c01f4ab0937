"""Text from others on a terminal, in a log and in JSON: it stays in its line, and all of it is seen."""

from __future__ import annotations

import io
import json
import logging
import unicodedata
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from contracts import VisibleFilter, say, say_json, visible, visible_console, visible_logger
from contracts.visible_text import LONGEST, visible_json

HOSTILE = (
    "case\n2026-01-01 INFO all is well\r\x1b[2J\x1b]0;title\x07\x9b31m\u2028\u2029\u200b\u202e\u2066\ufeff"
    "\ud800\u3164\ufe0f\x7f\x85"
)
ANY = st.text(st.characters())
"""Every code point, lone surrogates too."""


def is_seen(text: str) -> bool:
    """Whether a terminal would show every character in its place."""
    return not any(unicodedata.category(letter)[0] in "CZ" and letter != " " for letter in text)


@given(ANY)
@example(HOSTILE)
def test_any_text_becomes_one_line_of_visible_characters(text: str) -> None:
    """No control, separator or format character is left; it can be written as UTF-8."""
    assert is_seen(visible(text))
    assert visible(text).encode() is not None


@given(ANY)
def test_visible_text_stays_as_it_is(text: str) -> None:
    """Twice is the same as once, so that it does not matter who did it first."""
    assert visible(visible(text)) == visible(text)


def test_text_in_other_scripts_stays_as_it_is() -> None:
    """Letters, accents and signs of any script are not touched."""
    for text in ("Łódź, é", "日本語 テスト", "العربية", "№ 5 € 😀"):
        assert visible(text) == text


def test_what_is_cut_is_counted() -> None:
    """A long value does not fill the screen, and says how much is missing."""
    assert visible("a" * 2_500, 1_000) == "a" * 1_000 + "... and 1,500 more characters"


@given(
    st.recursive(st.text() | st.integers() | st.booleans(), lambda inner: st.dictionaries(st.text(), inner))
)
@example({"text": HOSTILE})
def test_json_stays_json(value: object) -> None:
    """A reader gets the same value back, from a text in which every character is seen."""
    for indent in (None, 2):
        text = visible_json(value, indent)
        assert json.loads(text) == value
        assert all(is_seen(line) for line in text.split("\n"))


def written(command: click.Command) -> str:
    """What a command writes."""
    return CliRunner().invoke(command, catch_exceptions=False).output


def test_a_line_is_one_line() -> None:
    """Whatever is in it."""

    @click.command()
    def command() -> None:
        say(f"transaction {HOSTILE}", "the next", "b" * (LONGEST + 1))
        say_json({"id": HOSTILE})

    first, second, third, fourth, rest = written(command).split("\n")
    assert first.startswith("transaction case\\n2026-01-01 INFO all is well\\r\\x1b[2J")
    assert (second, rest) == ("the next", "")
    assert third.endswith("bbb... and 1 more characters")
    assert json.loads(fourth) == {"id": HOSTILE}
    assert all(is_seen(line) for line in (first, second, third, fourth))


@pytest.mark.parametrize("is_terminal", [False, True])
def test_no_cell_leaves_its_row(is_terminal: bool) -> None:
    """Neither as plain nor as styled text, neither in a heading; markup and emoji names are text."""
    shown_on = visible_console()
    shown_on.file = out = io.StringIO()
    shown_on.width = 1_000
    shown_on._force_terminal, shown_on.no_color = is_terminal, True
    table = Table("ID", f"STATE{HOSTILE}", box=None)
    table.add_row(HOSTILE, Text("open ", "red") + Text(HOSTILE, "bold"))
    table.add_row("[bold]x[/bold] :smile:", Text.assemble("a", ("b\nc", "red")))
    shown_on.print(table)
    shown_on.print(f"waits for {HOSTILE}")
    lines = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in out.getvalue().split("\n")]
    heading, first, second, last, rest = lines
    assert rest == ""
    assert all(is_seen(line) for line in (heading, first, second, last))
    assert first.split()[0].startswith("case\\n2026")
    assert "[bold]x[/bold] :smile:" in second
    assert "ab\\nc" in second


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger of the house, and what any program's own handler writes of it."""
    logger, out = visible_logger("govbus.tests.visible"), io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    yield logger, out
    logger.removeHandler(handler)


def test_a_log_record_is_one_line(log: tuple[logging.Logger, io.StringIO]) -> None:
    """Arguments, errors and mappings among them; numbers stay numbers."""
    logger, out = log
    logger.warning("%s failed: %s after %d of %.1f s", HOSTILE, ValueError(HOSTILE), 3, 4.56)
    logger.error("%(file)s and %(file)r", {"file": "a\nERROR b"})
    logger.warning(HOSTILE)
    first, second, third, rest = out.getvalue().split("\n")
    assert all(is_seen(line) for line in (first, second, third))
    assert first.endswith("after 3 of 4.6 s")
    assert second.startswith("ERROR a\\nERROR b and ")
    assert rest == ""


def test_no_line_of_a_traceback_looks_like_a_record(log: tuple[logging.Logger, io.StringIO]) -> None:
    """They are indented, with what the error says escaped."""
    logger, out = log
    try:
        raise ValueError("no\nERROR the disk is full\x1b[2J")
    except ValueError:
        logger.exception("it failed", stack_info=True)
    first, *others, rest = out.getvalue().split("\n")
    assert (first, rest) == ("ERROR it failed", "")
    assert others
    assert all(line.startswith("  ") and is_seen(line) for line in others)


def test_a_handler_makes_other_libraries_visible_too() -> None:
    """The filter may stand at a handler, and twice is the same as once."""
    logger, out = logging.getLogger("somebody.else"), io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(VisibleFilter())
    handler.addFilter(VisibleFilter())
    logger.addHandler(handler)
    logger.error("%s", HOSTILE)
    logger.removeHandler(handler)
    (line, rest) = out.getvalue().split("\n")
    assert is_seen(line)
    assert rest == ""
