"""Dates and times by a `strptime` format, read only where the format leaves no choice. Pure.

| `strptime` alone                                  | here                                                  |
|---------------------------------------------------|-------------------------------------------------------|
| reads `2026111` by `%Y%m%d` as 1 November         | directives without a sign between them are full width |
| puts a two-digit year into a century by its rule  | `%y` needs a `pivot`, the first of its hundred years  |
| reads `%c`, `%x` and `%X` as the machine's locale | they are refused                                      |
| reads a zone's name by `%Z` and forgets it        | `%Z` is refused                                       |
| forgets `%p` beside `%H`, takes `%I` alone as AM  | both are refused                                      |
| takes 1900 for a year that is not there           | the format needs a year                               |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

_WIDTHS = dict.fromkeys("mdHIMSyUWV", 2) | {"Y": 4, "G": 4, "j": 3, "f": 6, "u": 1, "w": 1}
_WORDS = "aAbBpz"
_TOKEN = re.compile(r"%(.?)|(\s+)|([^%\s]+)", re.DOTALL)
_LONGEST_TEXT = 100


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """A compiled format.

    Attributes:
        text: The format as it is written.
        pattern: What a text must look like, before `strptime` reads it.
        pivot: The first of the hundred years that a two-digit year stands for.
    """

    text: str
    pattern: re.Pattern[str]
    pivot: int | None = None

    @classmethod
    def compile(cls, text: str, pivot: int | None = None) -> TimeFormat:
        """Compile a format.

        Raises:
            ValueError: It can be read in more than one way; the message says what to write.
        """
        tokens = _TOKEN.findall(text)
        directives = [directive for directive, space, literal in tokens if not (space or literal)]
        if fault := next(_faults(directives, pivot), None):
            raise ValueError(fault)
        numeric = [not (space or literal) and directive in _WIDTHS for directive, space, literal in tokens]
        parts = [
            _pattern_of(
                token,
                after_number=index > 0 and numeric[index - 1],
                before_number=index + 1 < len(tokens) and numeric[index + 1],
            )
            for index, token in enumerate(tokens)
        ]
        return cls(text, re.compile("".join(parts), re.IGNORECASE | re.DOTALL), pivot)

    def read(self, text: str) -> datetime:
        """The time in a text, without a zone unless the text has one.

        Raises:
            ValueError: The text is not written as the format says, or names no day or time.
        """
        if len(text) > _LONGEST_TEXT or not self.pattern.fullmatch(text):
            raise ValueError("not as the format says")
        moment = datetime.strptime(text, self.text)  # noqa: DTZ007 - the caller knows the zone
        if self.pivot is None:
            return moment
        return moment.replace(year=self.pivot + (moment.year - self.pivot) % 100)


def _faults(directives: Sequence[str], pivot: int | None) -> Iterator[str]:
    for directive in directives:
        if directive and directive in "cxX":
            yield f"write out what `%{directive}` stands for: it differs between machines"
        elif directive == "Z":
            yield "write `%z` for an offset, or a `time_zone` beside it: a zone's name is not read"
        elif directive not in (*_WIDTHS, *_WORDS, "%"):
            yield f"remove `%{directive}`, which is no directive of strptime"
    if not {"Y", "y", "G"}.intersection(directives):
        yield "add the year, such as `%Y`"
    if ("I" in directives) != ("p" in directives):
        yield "write `%I` and `%p` together, or `%H`"
    if "y" in directives and pivot is None:
        yield "add `pivot`: the first of the hundred years that `%y` stands for, such as 1930"
    if "y" not in directives and pivot is not None:
        yield "remove `pivot`, which belongs to a format with `%y`"
    if pivot is not None and not 1 <= pivot <= 9_900:
        yield "write as `pivot` a year from 1 to 9900"


def _pattern_of(token: tuple[str, str, str], *, after_number: bool, before_number: bool) -> str:
    directive, space, literal = token
    if space:
        return r"\s*"
    if literal:
        return re.escape(literal)
    if directive == "%":
        return "%"
    if directive in _WORDS:
        return ".*?"
    width = _WIDTHS[directive]
    fixed = directive in "YG" or before_number or (after_number and directive != "f")
    return rf"\d{{{width}}}" if fixed else rf"\d{{1,{width}}}"
