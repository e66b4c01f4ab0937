"""What a file is that is not CSV, told by its first bytes, and why a file of CSV holds no row. Pure."""

import re
from codecs import BOM_UTF8

import orjson

_SAMPLE_BYTES = 4_096

_SIGNATURES = (
    (b"\x1f\x8b", "an archive (gzip)"),
    (b"BZh", "an archive (bzip2)"),
    (b"\xfd7zXZ\x00", "an archive (xz)"),
    (b"7z\xbc\xaf\x27\x1c", "an archive (7z)"),
    (b"Rar!\x1a\x07", "an archive (RAR)"),
    (b"\x28\xb5\x2f\xfd", "an archive (Zstandard)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a spreadsheet (XLS) or another old Office document"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"\xff\xfe", "text in UTF-16; write `encoding: utf-16`"),
    (b"\xfe\xff", "text in UTF-16; write `encoding: utf-16`"),
)
_IN_ZIP = (
    (b"xl/", "a spreadsheet (XLSX)"),
    (b"opendocument.spreadsheet", "a spreadsheet (ODS)"),
    (b"word/", "a document (DOCX)"),
)
_TEXTS = (
    (re.compile(rb"\s*<!doctype html|\s*<html", re.IGNORECASE), "HTML"),
    (re.compile(rb"\s*<\?xml|\s*<[A-Za-z_][\w:.-]*(\s[^<>]*)?/?>|\s*<!--"), "XML"),
    (re.compile(rb"(UNA.{6}\s*)?UN[BG]\+", re.DOTALL), "EDIFACT"),
    (re.compile(rb"MSH\|\^~"), "HL7"),
)
# Letters, digits, space, comma, semicolon, stroke and line ends in every code page of EBCDIC.
_EBCDIC = frozenset(bytes.fromhex("0d1525404b4f5e60616b6d7a")).union(
    *(range(first, first + 9) for first in (0x81, 0x91, 0xC1, 0xD1)),
    *(range(first, first + 8) for first in (0xA2, 0xE2)),
    range(0xF0, 0xFA),
)
_OTHER_LINE_ENDS = (
    ("\x85", "NEL (U+0085), as mainframes write it"),
    ("\u2028", "U+2028"),
    ("\x1e", "the record separator U+001E"),
)
_DELIMITERS = ";,\t|"


def file_kind(content: bytes, encoding: str) -> str | None:
    """What a file is, None if it may be CSV in an encoding."""
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return next((kind for name, kind in _IN_ZIP if name in content), "an archive (ZIP)")
    if content[257:262] == b"ustar":
        return "an archive (tar)"
    if "A".encode(encoding).removeprefix(BOM_UTF8) != b"A":
        return None  # UTF-16 or EBCDIC, and said to be
    found = (kind for signature, kind in _SIGNATURES if content.startswith(signature))
    return next(found, None) or _kind_of_text(content)


def _kind_of_text(content: bytes) -> str | None:
    sample = content[:_SAMPLE_BYTES]
    if sample and not sample.strip(b"\x00"):
        return "nothing but NUL bytes, as a transfer that broke off leaves"
    if _is_utf_16(sample):
        return "text in UTF-16 without a byte-order mark; write `encoding: utf-16-le` or `utf-16-be`"
    if _is_ebcdic(sample):
        return "EBCDIC; write its code page, such as `encoding: cp037`"
    text = content.removeprefix(BOM_UTF8)
    found = (kind for pattern, kind in _TEXTS if pattern.match(text))
    return next(found, None) or ("JSON" if _is_json(text) else None)


def other_line_ends(text: str) -> str | None:
    """The line ends of a text that has neither LF nor CR, None if it has or if they are not known."""
    if "\n" in text or "\r" in text:
        return None
    return next((name for sign, name in _OTHER_LINE_ENDS if sign in text), None)


def why_no_row(text: str, delimiter: str) -> str:
    """What a file is whose text holds no row beside its header."""
    if not text.strip():
        return "an empty file"
    header = text.strip("\r\n")
    if header == text:
        return "one without line ends, all of it taken for the header; convert it to one row a line"
    if delimiter not in header:
        other = next((sign for sign in _DELIMITERS if sign in header), None)
        if other is not None:
            name = "a tab" if other == "\t" else f"`{other}`"
            return f"one line delimited by {name} instead; if it is a row, name the columns under `header`"
    return "a header and nothing else; if it is a row, name the columns under `header`"


def _is_utf_16(sample: bytes) -> bool:
    halves = sample[0::2], sample[1::2]
    zeros = [half.count(0) for half in halves]
    return (
        len(sample) >= 4
        and min(zeros) == 0
        and sample[:2].count(0) == 1
        and max(zeros) >= 0.8 * len(halves[1])
    )


def _is_ebcdic(sample: bytes) -> bool:
    alike = sum(byte in _EBCDIC for byte in sample)
    return len(sample) >= 4 and b"\n" not in sample and alike >= 0.9 * len(sample) and not sample.isascii()


def _is_json(text: bytes) -> bool:
    start = text.lstrip()
    if start[:1] not in {b"{", b"["}:
        return False
    if re.match(rb"[\[{]\s*[\"\[{]", start):
        return True
    try:
        orjson.loads(start)
    except orjson.JSONDecodeError:
        return False
    return True
