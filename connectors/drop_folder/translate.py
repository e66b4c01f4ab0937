"""Every line of a CSV file becomes part of exactly one record, good or malformed. Pure.

| found                                          | outcome                                                |
|------------------------------------------------|--------------------------------------------------------|
| a row with as many fields as the header        | a record                                               |
| another number of fields                       | malformed, that row                                    |
| bytes that are not in the encoding             | malformed, that row                                    |
| a control character such as NUL                | malformed, that row                                    |
| text that was read in a wrong encoding         | malformed, that row                                    |
| text after a closing quote                     | malformed, the lines of that row                       |
| a quote that never closes                      | malformed, its first line; reading goes on at the next |
| an empty line                                  | nothing: it is no record                               |
| no header, a name twice, or a missing column   | `FileRejectedError`: no row of it can be trusted       |
| a file that is not CSV, or holds no row        | `FileRejectedError`, with what it probably is          |
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.drop_folder.file_kind import file_kind, other_line_ends, why_no_row
from connectors.drop_folder.misread import misread
from connectors.source import MalformedRecord, SourceRecord

_UNDECODABLE = "\ud800-\udfff"
_FOREIGN = re.compile(f"[{_UNDECODABLE}]")
_UNFIT = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f{_UNDECODABLE}]")


class FileRejectedError(ValueError):
    """No row of a file can be trusted; the message says why, without content of the file."""


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a file is written.

    Attributes:
        encoding: Its character encoding; a byte-order mark of UTF-8 is dropped.
        delimiter: One character between fields.
        header: Names of the columns when the file has no header line.
        columns: New names of columns, by the name in the header.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    header: Sequence[str] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row of a file, not yet compared with the header.

    Attributes:
        line: The number of its first line, from 1.
        text: Its lines as they are in the file, undecodable bytes escaped.
        fields: Its fields, None when it cannot be split.
    """

    line: int
    text: str
    fields: Sequence[str] | None


def records_of(
    content: bytes, form: CsvForm, *, file: str, identity: str
) -> list[SourceRecord | MalformedRecord]:
    """Every record of a file, in its order; there is at least one.

    Args:
        content: The whole file.
        form: How it is written.
        file: Its name.
        identity: Identifies the file: the hash of its content.

    Raises:
        FileRejectedError: No row can be trusted, or there is none.
    """
    kind = file_kind(content, form.encoding)
    if kind is not None:
        raise FileRejectedError(f"Expected CSV, got what is probably {kind}")
    text = _decode(content, form.encoding)
    if line_ends := other_line_ends(text):
        raise FileRejectedError(f"Expected lines that end in LF or CR, got {line_ends}: convert the file")
    rows = rows_of(text, form.delimiter)
    names = _names(form, rows)
    records = [] if names is None else [_record(row, names, form, file, identity) for row in rows]
    if not records:
        found = why_no_row(text, form.delimiter)
        raise FileRejectedError(f"Expected at least one row, got none: the file is probably {found}")
    return records


def _decode(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding, "surrogateescape").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise FileRejectedError(f"Expected a file in `{encoding}`, got bytes that are not") from None


def _encode(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def rows_of(text: str, delimiter: str) -> Iterator[CsvRow]:
    """Split a text into rows; only empty lines are left out."""
    lines = list(io.StringIO(text, newline=""))
    start = 0
    while start < len(lines):
        restart = len(lines)
        for row, end in _rows_from(lines, start, delimiter):
            yield row
            restart = end
        start = restart


def _rows_from(lines: Sequence[str], start: int, delimiter: str) -> Iterator[tuple[CsvRow, int]]:
    """Rows, each with the index of the line after it; ends early after a quote that never closes."""
    rest = map(lines.__getitem__, range(start, len(lines)))
    reader = csv.reader(rest, delimiter=delimiter, strict=True)
    first = start
    while first < len(lines):
        fields: Sequence[str] | None = None
        try:
            fields = next(reader)
        except csv.Error:
            if _never_closes(lines, first, start + reader.line_num):
                # It would take in the rest of the file: only its own line is malformed.
                yield CsvRow(first + 1, lines[first], None), first + 1
                return
        end = start + reader.line_num
        if fields is None or fields:
            yield CsvRow(first + 1, "".join(lines[first:end]), fields), end
        first = end


def _never_closes(lines: Sequence[str], first: int, end: int) -> bool:
    return end >= len(lines) or sum(map(len, lines[first:end])) > csv.field_size_limit()


def _names(form: CsvForm, rows: Iterator[CsvRow]) -> list[str] | None:
    written = form.header
    if written is None:
        first = next(rows, None)
        if first is None:
            return None
        problem = _problem(first, 0 if first.fields is None else len(first.fields), form.encoding)
        if problem is not None or first.fields is None:
            raise FileRejectedError(f"Expected a header line, got one that cannot be read: {problem}")
        written = [name.strip() for name in first.fields]
    missed = [name for name in form.columns if name not in written]
    if missed:
        raise FileRejectedError(f"Expected a column `{missed[0]}` in the header, found none")
    names = [form.columns.get(name, name) for name in written]
    if "" in names or len(set(names)) != len(names):
        raise FileRejectedError("Expected a different name for every column in the header")
    return names


def _record(
    row: CsvRow, names: Sequence[str], form: CsvForm, file: str, identity: str
) -> SourceRecord | MalformedRecord:
    where = {"file": file, "line": str(row.line)}
    raw = _encode(row.text, form.encoding)
    problem = _problem(row, len(names), form.encoding)
    if problem is not None or row.fields is None:
        cells = row.fields or row.text.split(form.delimiter)
        return MalformedRecord(raw, problem or "Expected a row of CSV", where, cells=cells)
    return SourceRecord(dict(zip(names, row.fields, strict=True)), f"{identity}/{row.line}", where, raw)


def _problem(row: CsvRow, width: int, encoding: str) -> str | None:
    if row.fields is None:
        return "Expected a quoted field that closes before the delimiter, got one that does not"
    if _UNFIT.search(row.text):
        if _FOREIGN.search(row.text):
            return f"Expected text in `{encoding}`, got bytes that are not"
        return "Expected text, got a control character"
    if len(row.fields) != width:
        return f"Expected {width} fields, got {len(row.fields)}"
    if row.text.isascii():
        return None
    return next((fault for cell in row.fields if (fault := misread(cell, encoding))), None)
