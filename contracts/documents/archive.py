"""Reads an earlier state of a catalogue from an archive: `.zip`, `.tar`, `.tar.gz` or `.tgz`.

Law: an archive is data of a stranger. Its headers are not believed: what is unpacked is counted as it comes,
skipped files included. Links and devices in a catalogue are refused, as are names that come twice, and paths
that lead out of the archive anywhere in it.
"""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO, Final

from contracts.documents.snapshot import MAX_BYTES, MAX_FILES, too_large, wanted
from contracts.errors import SnapshotError

SUFFIXES: Final = (".zip", ".tar", ".tar.gz", ".tgz")
MAX_PACKED_BYTES: Final = 128 * 1024 * 1024

_CHUNK: Final = 65_536
_LONGEST_HEADER: Final = 1_048_576
_LONGEST_ZIP_LIST: Final = 16 * 1024 * 1024
_ZIP_END_BYTES: Final = 22 + 65_535
"""Where a zip says how long its list of contents is: the record, and the longest comment after it."""
_BROKEN: Final = (
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    UnicodeError,
    ValueError,
    gzip.BadGzipFile,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def is_archive(name: str) -> bool:
    """Whether a name ends as one of `SUFFIXES`."""
    return name.lower().endswith(SUFFIXES)


def write_from_archive(file: Path, subdir: str, target: Path) -> None:
    """Write the documents of the catalogue in an archive into an empty folder.

    Args:
        file: The archive.
        subdir: The catalogue's folder in it. The one folder that everything is in, as in archives that forges
            make, need not be named.
        target: The folder.

    Raises:
        SnapshotError: There is no catalogue in it, it cannot be read, is too large, or means harm.
    """
    try:
        if file.stat().st_size > MAX_PACKED_BYTES:
            raise SnapshotError(f"the archive is larger than {MAX_PACKED_BYTES:,} bytes")
        base = _base(file, subdir)
        _write(file, base, target)
    except _BROKEN:
        raise SnapshotError(
            "the archive cannot be read: it is broken, encrypted, or of another kind"
        ) from None


class _Entry:
    """One entry of an archive. `kind` is `file`, `folder` or `other`."""

    def __init__(self, name: str, kind: str, content: IO[bytes] | None) -> None:
        self.name = name
        self.kind = kind
        self.content = content


def _base(file: Path, subdir: str) -> str:
    """The catalogue's folder in the archive, with `/` at its end; empty for the root."""
    tops: set[str] = set()
    found = subdir.strip("/")
    for entry in _entries(file, contents=False):
        tops.update(PurePosixPath(entry.name).parts[:1])
    if len(tops) == 1 and not tops & {"agencies", "services"}:
        (top,) = tops
        found = top if not found else found if found.split("/")[0] == top else f"{top}/{found}"
    return f"{found}/" if found else ""


def _write(file: Path, base: str, target: Path) -> None:
    written: set[str] = set()
    left = MAX_BYTES
    for entry in _entries(file, contents=True):
        if entry.kind == "folder" or not entry.name.removeprefix("./").startswith(base):
            continue
        path = entry.name.removeprefix("./").removeprefix(base)
        if not wanted(path, is_file=entry.kind == "file"):
            continue
        if path.casefold() in written:
            raise SnapshotError("the archive has a document twice")
        written.add(path.casefold())
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as output:
            for chunk in _chunks(entry.content):
                left -= len(chunk)
                if left < 0:
                    raise too_large()
                output.write(chunk)
    if not any(path.startswith("agencies/") for path in written):
        raise SnapshotError(
            "there is no folder `agencies/` in the archive; `#subdir=` names another place in it"
        )


def _chunks(content: IO[bytes] | None) -> Iterator[bytes]:
    while content is not None and (chunk := content.read(_CHUNK)):
        yield chunk


def _entries(file: Path, *, contents: bool) -> Iterator[_Entry]:
    found = (
        _zip_entries(file, contents=contents) if file.name.lower().endswith(".zip") else _tar_entries(file)
    )
    for count, entry in enumerate(found):
        if count >= MAX_FILES:
            raise too_large()
        if entry.name.startswith("/") or "\\" in entry.name or ".." in entry.name.split("/"):
            raise SnapshotError("the archive has a path that leads out of it")
        yield entry


def _zip_entries(file: Path, *, contents: bool) -> Iterator[_Entry]:
    _require_short_directory(file)
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            is_file = not mode or stat.S_ISREG(mode) or not stat.S_IFMT(mode)
            kind = "folder" if info.is_dir() else "file" if is_file else "other"
            if not contents or kind != "file":
                yield _Entry(info.filename, kind, None)
                continue
            with archive.open(info) as content:
                yield _Entry(info.filename, kind, content)


def _require_short_directory(file: Path) -> None:
    """Refuse a list of contents that would fill the memory before its entries are counted."""
    with file.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(max(0, size - _ZIP_END_BYTES))
        end = stream.read()
    start = end.rfind(b"PK\x05\x06")
    listed = int.from_bytes(end[start + 12 : start + 16], "little") if start >= 0 else 0
    if listed > _LONGEST_ZIP_LIST:
        raise too_large()


def _tar_entries(file: Path) -> Iterator[_Entry]:
    with file.open("rb") as packed:
        is_packed = packed.read(2) == b"\x1f\x8b"
        packed.seek(0)
        with ExitStack() as opened:
            unpacked = opened.enter_context(gzip.GzipFile(fileobj=packed)) if is_packed else packed
            stream = _Counted(unpacked)
            with tarfile.open(fileobj=stream, mode="r:", errorlevel=2) as archive:
                for member in archive:
                    is_file = member.isreg() and not member.issparse()
                    kind = "folder" if member.isdir() else "file" if is_file else "other"
                    yield _Entry(member.name, kind, archive.extractfile(member) if is_file else None)
                    archive.members = []  # type: ignore[attr-defined] # else each is kept in memory
            # `tarfile` ends at whatever is no header; only an empty block says that nothing was cut off.
            if not stream.is_at_empty_block:
                raise EOFError
            while stream.read(_CHUNK):
                pass  # the check sum of gzip stands behind the end of the tar


class _Counted(io.RawIOBase):
    """A stream that is read forward, and not beyond the limits; `tarfile` may ask for any length."""

    def __init__(self, stream: gzip.GzipFile | IO[bytes]) -> None:
        self._stream = stream
        self._at = 0
        self._last = self._again = b""
        self.is_at_empty_block = False

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on to a place; one byte back is allowed, where `tarfile` looks whether there is an end."""
        if whence == io.SEEK_SET and offset == self._at - 1 and self._last and not self._again:
            self._again, self._at = self._last, offset
        if whence != io.SEEK_SET or offset < self._at:
            raise SnapshotError("the archive cannot be read from start to end")
        while self._at < offset and self.read(min(_CHUNK, offset - self._at)):
            pass
        return self._at

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_HEADER:
            raise SnapshotError("the archive has a header of more than a megabyte")
        again, self._again = (self._again, b"") if size else (b"", self._again)
        content = again + self._stream.read(size - len(again))
        self._at += len(content)
        self._last = content[-1:] or self._last
        self.is_at_empty_block = content == bytes(tarfile.BLOCKSIZE)
        if self._at > MAX_BYTES:
            raise too_large()
        return content
