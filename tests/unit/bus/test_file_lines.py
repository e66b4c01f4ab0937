"""Events of a file: one JSON value, or JSON lines."""

import asyncio
import io
import os
import threading
from typing import BinaryIO

import pytest

from bus.from_file.lines import MAX_BYTES, Line, LineError, lines_as_they_come, read_lines


def read(text: bytes) -> list[tuple[int, object]]:
    """Return number and data of each event; of a fault its text."""
    return [
        (line.number, str(line.data) if isinstance(line.data, LineError) else line.data)
        for line in read_lines(io.BytesIO(text))
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b'{"a": 1}', [(1, {"a": 1})]),
        (b'{"a": 1}\n\n{"a": 2}\r\n', [(1, {"a": 1}), (3, {"a": 2})]),
        (b'\xef\xbb\xbf{"a": 1}\n', [(1, {"a": 1})]),
        (b'\n{\n  "a": 1\n}\n', [(2, {"a": 1})]),
        (b'{"a": 1}\nAda\n3', [(1, {"a": 1}), (2, "Expected JSON, got other text - at column 1"), (3, 3)]),
        (b'{\n  "a": Ada\n}\n', [(2, "Expected JSON, got other text - at column 8")]),
        (
            b'{"a": 1, "a": 2}\n1',
            [(1, "Expected each name once in an object, got one twice - at `$.a`"), (2, 1)],
        ),
        (b"1\n\xff", [(1, 1), (2, "Expected JSON, got other text - at column 1")]),
    ],
)
def test_each_event_has_the_number_of_its_line(text: bytes, expected: list[tuple[int, object]]) -> None:
    """A fault quotes nothing; what follows it is read on."""
    assert read(text) == expected


def test_what_is_too_long_is_not_held() -> None:
    """Neither as a line, nor as one value over several."""
    said = f"Expected at most {MAX_BYTES} bytes, got more"
    assert read(b"1\n" + b" " * 9 + b'"' + b"a" * MAX_BYTES + b'"\n1') == [(1, 1), (2, said)]
    assert read(b"[\n" + b"1,\n" * (MAX_BYTES // 2)) == [(1, said)]


async def test_a_pipe_is_read_as_it_comes() -> None:
    """Its first event is there while its writer has not written the second."""
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as file, os.fdopen(theirs, "wb", buffering=0) as writer:
        lines = lines_as_they_come(file)
        writer.write(b"1\n")
        assert await asyncio.wait_for(anext(lines), 60) == Line(1, 1)
        writer.write(b"2\n")
        assert await asyncio.wait_for(anext(lines), 60) == Line(2, 2)
        writer.close()
        assert [line async for line in lines] == []


def test_what_comes_after_the_last_reader_has_gone_disturbs_nobody() -> None:
    """A pipe that ends later than the command, as after a line that was wrong."""
    end, pipe = os.pipe()
    known = set(threading.enumerate())

    async def first(file: BinaryIO) -> int:
        async for line in lines_as_they_come(file):
            return line.number
        return 0

    with os.fdopen(end, "rb") as file:
        os.write(pipe, b"{}\n")
        assert asyncio.run(first(file)) == 1
        os.write(pipe, b"{}\n")
        os.close(pipe)
        for thread in set(threading.enumerate()) - known:
            thread.join()
