"""Made-up text that keeps `pattern`, `format` and lengths: in several scripts, at the bounds and between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any, Final
from uuid import UUID

from contracts.patterns import Language, PatternError

MOST_LETTERS: Final = 64
"""Longest text made where a schema allows longer; half as likely, one of exactly its bound up to 1,000."""
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 -.,'\"\\/&<>{}$@#%_éßøЖіภ中ع😀"
LONGEST: Final = 1_048_576
"""Letters of the longest text made: no event is larger."""
_OF_PATTERN: Final = 200
_LETTERS_OF_PATTERN: Final = 100_000
_EARLIEST: Final = datetime(1900, 1, 1)  # noqa: DTZ001 - a zone is drawn for each


class NoInstanceError(Exception):
    """This try failed; the next one may succeed."""


def made_text(nodes: Sequence[Mapping[str, Any]], random: Random) -> str:
    """Text that all schemas of one place may accept; the caller checks it.

    Raises:
        NoInstanceError: It would be longer than any event.
    """
    low = max((int(node.get("minLength", 0)) for node in nodes), default=0)
    if low > LONGEST:
        raise NoInstanceError
    high = min((int(node["maxLength"]) for node in nodes if "maxLength" in node), default=None)
    patterns = tuple(sorted({node["pattern"] for node in nodes if "pattern" in node}))
    for node in nodes:
        maker = _FORMATS.get(node.get("format", ""))
        if maker is not None and not patterns:
            return maker(random)
    if patterns:
        known = _of_patterns(patterns, low, high)
        if known:
            return random.choice(known)
    top = high if high is not None else low + MOST_LETTERS
    usual = min(top, low + MOST_LETTERS)
    length = random.choice([low, random.randint(low, max(low, usual)), top if top <= 1_000 else usual])
    return "".join(random.choices(_LETTERS, k=length))


@lru_cache(maxsize=1_024)
def _of_patterns(patterns: tuple[str, ...], low: int, high: int | None) -> list[str]:
    """Some texts of these patterns and lengths, the shortest and some of every length up to the bound."""
    try:
        language = Language.length(low, high)
        for pattern in patterns:
            language &= Language.pattern(pattern)
        least, most = language.lengths()
        found = language.some(min(_OF_PATTERN, _LETTERS_OF_PATTERN // (least + 1) + 1))
        top = min(least + MOST_LETTERS, most if most is not None else least + MOST_LETTERS)
        for length in {top, (least + top) // 2}:
            few = min(20, _LETTERS_OF_PATTERN // (length + 1) + 1)
            found += (language & Language.length(length, length)).some(few)
    except PatternError:
        return []
    return found


def _day(random: Random) -> date:
    return (_EARLIEST + timedelta(days=random.randrange(73_000))).date()


def _moment(random: Random) -> str:
    zone = random.choice(["Z", "+00:00", "+05:30", "-11:00"])
    clock = timedelta(seconds=random.randrange(86_400))
    fraction = random.choice(["", ".5", ".123456"])
    return f"{(_EARLIEST + timedelta(days=random.randrange(73_000)) + clock).isoformat()}{fraction}{zone}"


def _uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


_FORMATS: Final[Mapping[str, Callable[[Random], str]]] = {
    "date": lambda random: _day(random).isoformat(),
    "date-time": _moment,
    "email": lambda random: f"user.{random.randrange(10_000)}@example.org",
    "uri": lambda random: f"https://example.org/{random.randrange(10_000)}?q=%20#part",
    "uuid": _uuid,
}
