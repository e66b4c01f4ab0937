"""Every line of a CSV file ends up in exactly one record, good or malformed."""

import csv
import gzip
import io
import re
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import MalformedRecord, SourceRecord
from connectors.drop_folder.misread import misread
from connectors.drop_folder.translate import CsvForm, FileRejectedError, records_of

Records = list[SourceRecord | MalformedRecord]


def read(content: bytes, form: CsvForm | None = None) -> Records:
    """The records of a file called x.csv."""
    return records_of(content, form or CsvForm(), file="x.csv", identity="hash")


def zipped(name: str) -> bytes:
    """An archive with one file of a name."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), "a,b\n1,2\n")
    return written.getvalue()


def good(records: Records) -> list[dict[str, str]]:
    """The data of the records that were read."""
    return [dict(record.data) for record in records if isinstance(record, SourceRecord)]


def bad(records: Records) -> list[tuple[str, str]]:
    """Line and problem of those that were not."""
    return [
        (record.where["line"], record.problem) for record in records if isinstance(record, MalformedRecord)
    ]


def test_a_last_line_without_newline_is_a_row() -> None:
    """The last row counts whether or not its line ends."""
    assert good(read(b"a\n1\n2")) == [{"a": "1"}, {"a": "2"}]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    """Excel's mark does not rename the first column."""
    assert good(read(b"\xef\xbb\xbfa\n1\n")) == [{"a": "1"}]


def test_a_quoted_newline_stays_in_its_field_and_lines_are_counted() -> None:
    """A field over two lines is one field, and the row after it knows its own line."""
    records = read(b'a,b\n"1\nx",2\n3,4\n')
    assert good(records) == [{"a": "1\nx", "b": "2"}, {"a": "3", "b": "4"}]
    assert [record.where["line"] for record in records] == ["2", "4"]


def test_line_ends_of_every_system_are_read() -> None:
    """CR LF, LF and CR all end a line."""
    assert [{"a": "1"}, {"a": "2"}] == good(read(b"a\r\n1\r\n2\r\n")) == good(read(b"a\r1\r2\r"))


def test_a_ragged_row_is_malformed_and_the_rest_goes_on() -> None:
    """Too few or too many fields lose only their own row."""
    records = read(b"a,b\n1\n1,2,3\n1,2\n")
    assert good(records) == [{"a": "1", "b": "2"}]
    assert bad(records) == [("2", "Expected 2 fields, got 1"), ("3", "Expected 2 fields, got 3")]


def test_a_nul_byte_makes_its_row_malformed() -> None:
    """Control characters never travel on."""
    records = read(b"a\n1\x00\n2\n")
    assert good(records) == [{"a": "2"}]
    assert bad(records) == [("2", "Expected text, got a control character")]


def test_a_row_in_another_encoding_is_malformed_with_its_bytes() -> None:
    """A Latin-1 row in a UTF-8 file is set aside with its original bytes."""
    records = read(b"a\nZo\xeb\nZoe\n")
    assert good(records) == [{"a": "Zoe"}]
    assert isinstance(records[0], MalformedRecord)
    assert records[0].raw == b"Zo\xeb\n"


def test_a_file_in_another_encoding_is_read_when_it_is_named() -> None:
    """With the right encoding every row is good."""
    form = CsvForm(encoding="cp1252", delimiter=";")
    assert good(read("a;b\nZoë;€\n".encode("cp1252"), form)) == [{"a": "Zoë", "b": "€"}]


@pytest.mark.parametrize(
    ("name", "written", "read_as", "fault"),
    [
        ("Zoë", "utf-8", "cp1252", "write `encoding: utf-8`"),
        ("Zoë", "utf-8", "iso-8859-1", "write `encoding: utf-8`"),
        ("voilà", "utf-8", "iso-8859-1", "write `encoding: utf-8`"),
        ("Привет", "utf-8", "iso-8859-1", "write `encoding: utf-8`"),
        ("Zoë".encode().decode("cp1252"), "utf-8", "utf-8", "a program before"),
        ("Müth € 50", "cp1252", "iso-8859-1", "it may be `cp1252`"),
        ("a\x85b", "utf-8", "utf-8", "C1 control character"),
    ],
)
def test_a_row_read_in_a_wrong_encoding_is_malformed(
    name: str, written: str, read_as: str, fault: str
) -> None:
    """Text that no language writes is set aside instead of published, and the message says what it may be."""
    records = read(f"a;b\n1;Zoe\n2;{name}\n".encode(written), CsvForm(encoding=read_as, delimiter=";"))
    assert good(records) == [{"a": "1", "b": "Zoe"}]
    ((line, problem),) = bad(records)
    assert line == "3"
    assert fault in problem
    assert name not in problem


@pytest.mark.parametrize(
    "name",
    [
        "Zoë",
        "SÃO JOÃO",
        "«MARCHÉ»",
        "MARCHÉ\xa0: €",
        "“IRMÔ",
        "„MENÜ“",
        "Ä",
        "ÇA",
        "Łódź",
        "SZKÓŁ",
        "Ёж",
        "日本",
        "½ µ",
    ],
)
def test_what_languages_write_is_no_wrong_encoding(name: str) -> None:
    """Letters, quotation marks and fixed spaces of real languages pass."""
    assert good(read(f"a\n{name}\n".encode())) == [{"a": name}]


def test_a_header_read_in_a_wrong_encoding_rejects_the_file() -> None:
    """The message says why the header cannot be read."""
    with pytest.raises(FileRejectedError, match="encoding: utf-8"):
        read("prénom\nZoe\n".encode(), CsvForm(encoding="cp1252"))


def test_utf_16_read_as_utf_8_publishes_nothing() -> None:
    """A wrong encoding never becomes events."""
    with pytest.raises(FileRejectedError):
        read("a,b\n1,2\n".encode("utf-16"))


@pytest.mark.parametrize(
    ("content", "form", "finding"),
    [
        (b"", CsvForm(), "an empty file"),
        (b"\xef\xbb\xbf", CsvForm(), "an empty file"),
        (b"\n\n", CsvForm(header=["a"]), "an empty file"),
        (b"a,b\n", CsvForm(), "a header and nothing else"),
        (b"CASE-1;123;North\n", CsvForm(), "delimited by `;`"),
        (b"a;b", CsvForm(delimiter=";"), "without line ends"),
        ("a,b\u20281,2".encode(), CsvForm(), "got U+2028"),
        ("id,name\x851,Zoe\x85".encode("cp037"), CsvForm(), "EBCDIC"),
        ("id,name\x851,Zoe\x85".encode("cp037"), CsvForm(encoding="cp037"), "NEL"),
        (b'[{"a":1},{"a":2}]', CsvForm(), "JSON"),
        (b'{"a":1}\n{"a":2}\n', CsvForm(), "JSON"),
        (b"[1, 2]", CsvForm(), "JSON"),
        (b'<?xml version="1.0"?>\n<a>\n<b/>\n</a>\n', CsvForm(), "XML"),
        (b"<rows><row/></rows>", CsvForm(), "XML"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html>\n", CsvForm(), "HTML"),
        (b"UNA:+.? 'UNB+UNOA:1+A+B'", CsvForm(), "EDIFACT"),
        (b"UNB+UNOA:1+A+B'UNZ+1+R'", CsvForm(), "EDIFACT"),
        (b"\x00" * 512, CsvForm(), "NUL bytes"),
        ("a,b\n1,2\n".encode("utf-16"), CsvForm(), "utf-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), CsvForm(), "utf-16-le"),
        ("a,b\n1,2\n".encode("utf-16-be"), CsvForm(), "utf-16-be"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), CsvForm(), "archive (gzip)"),
        (zipped("a.csv"), CsvForm(), "archive (ZIP)"),
        (zipped("xl/workbook.xml"), CsvForm(), "spreadsheet (XLSX)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 504, CsvForm(), "spreadsheet (XLS)"),
        (b"%PDF-1.7\n1 0 obj\n", CsvForm(header=["a"]), "PDF"),
    ],
    ids=range(26),
)
def test_a_file_without_a_row_says_what_it_probably_is(content: bytes, form: CsvForm, finding: str) -> None:
    """A file of which nothing would become an event is rejected as a whole, with a finding."""
    with pytest.raises(FileRejectedError, match=re.escape(finding)):
        read(content, form)


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\r1,2\r",
        b"<,b\n1,2\n",
        b"a\n<b>\n",
        b"{,b\n1,2\n",
        b"UNIT,b\n1,2\n",
        b"PK,b\n1,2\n",
        b"[a],b\n1,2\n",
    ],
)
def test_csv_that_only_begins_like_something_else_is_read(content: bytes) -> None:
    """A column may be called anything."""
    assert len(good(read(content))) == 1


def test_text_after_a_closing_quote_is_malformed() -> None:
    """A row with a stray quote loses only itself."""
    records = read(b'a,b\n"1"x,2\n3,4\n')
    assert good(records) == [{"a": "3", "b": "4"}]
    assert [line for line, _ in bad(records)] == ["2"]


def test_a_quote_that_never_closes_gives_up_only_its_own_line() -> None:
    """The rest of the file is not swallowed."""
    records = read(b'a,b\n1,2\n3,"4\n5,6\n7,8\n')
    assert good(records) == [{"a": "1", "b": "2"}, {"a": "5", "b": "6"}, {"a": "7", "b": "8"}]
    assert [line for line, _ in bad(records)] == ["3"]


def test_a_field_longer_than_any_field_gives_up_only_its_own_line() -> None:
    """An open quote before a long file is found out at the field limit."""
    body = b"".join(b"%d,x\n" % number for number in range(60_000))
    records = read(b'a,b\n1,"2\n' + body)
    assert len(good(records)) == 60_000
    assert [line for line, _ in bad(records)] == ["2"]


def test_columns_are_renamed_and_a_missed_one_rejects_the_file() -> None:
    """Header names are mapped; a file without a mapped column cannot be trusted."""
    form = CsvForm(columns={"Case Ref": "reference"})
    assert good(read(b"Case Ref,b\n1,2\n", form)) == [{"reference": "1", "b": "2"}]
    with pytest.raises(FileRejectedError, match="Case Ref"):
        read(b"Ref,b\n1,2\n", form)


def test_a_file_without_header_gets_its_names_from_the_form() -> None:
    """With `header` given the first line is a row."""
    assert good(read(b"1,2\n", CsvForm(header=["x", "y"]))) == [{"x": "1", "y": "2"}]


@pytest.mark.parametrize("content", [b"a,a\n1,2\n", b"a,\n1,2\n", b"a\x00,b\n1,2\n", b'"a\n1,2\n'])
def test_a_header_that_cannot_be_trusted_rejects_the_file(content: bytes) -> None:
    """Doubled, empty or unreadable names reject the whole file."""
    with pytest.raises(FileRejectedError):
        read(content)


@given(rows=st.lists(st.tuples(st.text(), st.text()), max_size=20))
def test_what_a_csv_writer_writes_is_read_back(rows: list[tuple[str, str]]) -> None:
    """Any text without control characters, lone surrogates or signs of a wrong encoding survives quoting."""
    clean = [
        (a, b)
        for a, b in rows
        if all(c in "\t\n\r" or (c >= " " and c != "\x7f" and not "\ud800" <= c <= "\udfff") for c in a + b)
        and not any(misread(text, "utf-8") for text in (a, b))
    ]
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *clean, ("1", "2")])
    records = read(written.getvalue().encode())
    assert [{"a": a, "b": b} for a, b in [*clean, ("1", "2")]] == good(records)


HOSTILE = st.lists(
    st.sampled_from([b'"', b",", b"\n", b"\r", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"a", b";", b"  "])
)


@given(pieces=HOSTILE)
@settings(max_examples=400)
def test_no_line_of_a_hostile_file_vanishes(pieces: list[bytes]) -> None:
    """Whatever the bytes: no crash, lines in order, and every byte that is no empty line is in a record."""
    content = b"h,i\n" + b"".join(pieces) + b"\n1,2\n"
    records = read(content)
    lines = [int(record.where["line"]) for record in records]
    assert sorted(set(lines)) == lines
    kept = b"".join(record.raw or b"" for record in records)
    assert kept.replace(b"\n", b"").replace(b"\r", b"") == content[4:].replace(b"\n", b"").replace(b"\r", b"")
