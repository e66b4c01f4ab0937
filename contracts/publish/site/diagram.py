"""The layout of a service diagram: a lane for each agency, a column for each step.

    lane of the owner   [start] ---+
                                   |
    lane of another      +-------> [milestone, 2 d] ---> [end, 7 d]

A column holds the events that are equally many steps from the start. Events of one agency in one column are
placed below each other, so boxes never overlap. Pure: the same service always gives the same diagram.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.contract import Service
from contracts.documents.durations import render_duration

BOX_WIDTH: Final = 176
BOX_HEIGHT: Final = 72
_GAP: Final = 44
_ROW: Final = BOX_HEIGHT + 20
_LEFT: Final = 156
_EDGE: Final = 10
_LINE: Final = 23
_MOST_LINES: Final = 2
_WIDE: Final = ("W", "F")


@dataclass(frozen=True, slots=True)
class Box:
    """One event: the lines of its title, a note, and its upper left corner."""

    subject: str
    lines: tuple[str, ...]
    note: str
    x: int
    y: int
    ends: bool


@dataclass(frozen=True, slots=True)
class AgencyLane:
    """The lane of one agency."""

    agency: str
    lines: tuple[str, ...]
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line between two events, as an SVG path."""

    path: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The diagram of a service, in pixels."""

    width: int
    height: int
    lanes: tuple[AgencyLane, ...]
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def draw(service: Service, titles: Mapping[str, str], agencies: Mapping[str, str]) -> Drawing:
    """Lay out the diagram of a service.

    Args:
        service: The service; an unreachable milestone is in the second column.
        titles: Titles by subject; by default the subject.
        agencies: Titles by agency; by default the name.
    """
    steps = _steps(service)
    names = list(dict.fromkeys(subject.partition(".")[0] for subject in steps))
    lanes, rows = _lanes(steps, names, agencies)
    ends, notes = set(service.ends), _notes(service)
    boxes = tuple(
        Box(
            subject=subject,
            lines=fold(titles.get(subject, subject), _LINE),
            note=notes[subject],
            x=_LEFT + step * (BOX_WIDTH + _GAP),
            y=rows[subject],
            ends=subject in ends,
        )
        for subject, step in steps.items()
    )
    places = {box.subject: box for box in boxes}
    arrows = tuple(
        Arrow(_curve(places[hop.after or service.start], places[hop.event]))
        for hop in service.milestones
        if (hop.after or service.start) in places and hop.event != service.start
    )
    width = max(box.x for box in boxes) + BOX_WIDTH + _EDGE
    return Drawing(width, lanes[-1].y + lanes[-1].height, lanes, boxes, arrows)


def fold(text: str, width: int, most: int = _MOST_LINES) -> tuple[str, ...]:
    """Wrap text to a width and a number of lines; wide characters count twice, `…` replaces the rest."""
    lines: list[str] = [""]
    for word in text.split():
        for piece in _pieces(word, width):
            joined = f"{lines[-1]} {piece}".strip()
            if _width(joined) <= width:
                lines[-1] = joined
            else:
                lines.append(piece)
    if len(lines) > most:
        return (*lines[: most - 1], _cut(lines[most - 1], width - 1) + "…")
    return tuple(lines)


def _steps(service: Service) -> dict[str, int]:
    steps = {service.start: 0}
    for _ in service.milestones:
        for hop in service.milestones:
            after = steps.get(hop.after or service.start)
            if after is not None and hop.event != service.start:
                steps[hop.event] = min(max(steps.get(hop.event, 0), after + 1), len(service.milestones))
    for hop in service.milestones:
        steps.setdefault(hop.event, 1)
    return steps


def _notes(service: Service) -> dict[str, str]:
    notes = {service.start: "start"}
    for hop in service.milestones:
        within = f"within {render_duration(hop.deadline_seconds)}" if hop.deadline_seconds else "no deadline"
        notes.setdefault(hop.event, f"{within}, end" if hop.event in service.ends else within)
    return notes


def _lanes(
    steps: Mapping[str, int], names: Sequence[str], agencies: Mapping[str, str]
) -> tuple[tuple[AgencyLane, ...], dict[str, int]]:
    lanes: list[AgencyLane] = []
    rows: dict[str, int] = {}
    top = 0
    for name in names:
        taken: dict[int, int] = {}
        for subject, step in steps.items():
            if subject.partition(".")[0] == name:
                rows[subject] = top + _EDGE + taken.get(step, 0) * _ROW
                taken[step] = taken.get(step, 0) + 1
        height = max(taken.values()) * _ROW
        lanes.append(AgencyLane(name, fold(agencies.get(name, name), 15, 3), top, height))
        top += height
    return tuple(lanes), rows


def _curve(start: Box, end: Box) -> str:
    x1, y1 = start.x + BOX_WIDTH, start.y + BOX_HEIGHT // 2
    x2, y2 = end.x - 7, end.y + BOX_HEIGHT // 2
    if x2 <= x1:
        return f"M{x1} {y1} L{x2} {y2}"
    turn = x2 - _GAP // 2
    return f"M{x1} {y1} H{turn} V{y2} H{x2}" if y1 != y2 else f"M{x1} {y1} H{x2}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in _WIDE else 1 for letter in text)


def _pieces(word: str, width: int) -> list[str]:
    pieces = []
    while _width(word) > width:
        head = _cut(word, width)
        pieces.append(head)
        word = word[len(head) :]
    return [*pieces, word]


def _cut(text: str, width: int) -> str:
    taken = ""
    for letter in text:
        if _width(taken + letter) > width:
            break
        taken += letter
    return taken or text[:1]
