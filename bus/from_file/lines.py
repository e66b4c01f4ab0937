"""The events of a file or pipe: one JSON value, or JSON lines, each with the number of its line.

Law of this file: a pipe is read as it comes, so that each event is published before the next one is there.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO, NamedTuple

import orjson

from contracts import AmbiguousJsonError, read_event_json, render_path

AHEAD_LINES = 1_000
MAX_BYTES = 4 * 1_048_576
"""The most that one line, or one value over several lines, may take; no contract allows as much."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LineError(ValueError):
    """A line holds no event.

    Args:
        number: of the line, from 1.
        what: what was expected, without anything that came.
        is_json: whether it is JSON all the same.
    """

    def __init__(self, number: int, what: str, *, is_json: bool = False) -> None:
        super().__init__(what)
        self.number = number
        self.is_json = is_json


class Line(NamedTuple):
    """The data of one event; an error in its place if it is none."""

    number: int
    data: object


def read_lines(file: BinaryIO) -> Iterator[Line]:
    """Yield the events of a file.

    Where its first line is no JSON value, all of it is one. Blank lines are none.
    """
    first = True
    number = 0
    while text := file.readline(MAX_BYTES + 1):
        number += 1
        text = text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else text
        if not text.strip():
            continue
        line = _line(number, text)
        if first and isinstance(line.data, LineError) and not line.data.is_json:
            yield _line(number, text + file.read(MAX_BYTES + 1))
            return
        first = False
        yield line
        if len(text) > MAX_BYTES:
            return  # where the next line begins is not known


def _line(number: int, text: bytes) -> Line:
    if len(text) > MAX_BYTES:
        return Line(number, LineError(number, f"Expected at most {MAX_BYTES} bytes, got more"))
    try:
        return Line(number, read_event_json(text))
    except AmbiguousJsonError as error:
        what = f"{error.fault} - at `{render_path(error.steps)}`"
        return Line(number, LineError(number, what, is_json=True))
    except orjson.JSONDecodeError as error:
        place = number + error.lineno - 1
        return Line(place, LineError(place, f"Expected JSON, got other text - at column {error.colno}"))


async def lines_as_they_come(file: BinaryIO) -> AsyncIterator[Line]:
    """Yield the events of a file without holding up the event loop.

    Raises:
        OSError: it cannot be read.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Line | OSError | None] = asyncio.Queue()
    room = threading.Semaphore(AHEAD_LINES)

    def put(item: Line | OSError | None) -> None:
        room.acquire()
        loop.call_soon_threadsafe(queue.put_nowait, item)

    def read() -> None:
        try:
            for line in read_lines(file):
                put(line)
            put(None)
        except OSError as error:
            put(error)
        except (ValueError, RuntimeError):
            if not (file.closed or loop.is_closed()):  # else nobody wants the rest
                raise

    # A daemon: a terminal or pipe that says nothing more must not keep the process.
    threading.Thread(target=read, daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, OSError):
            raise item
        yield item
        room.release()
