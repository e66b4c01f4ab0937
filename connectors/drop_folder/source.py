"""Reads CSV files from a folder, each as a whole: parsed to its end before its first row is published."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors.drop_folder.folder import Folder, stamp_of
from connectors.drop_folder.translate import CsvForm, FileRejectedError, records_of
from connectors.errors import NotConnectedError
from connectors.source import Batch, CheckpointReader, MalformedRecord
from contracts import visible_logger

_LOG = visible_logger("govbus.connectors.drop_folder")
_SHOWN_BYTES = 65_536


class DropFolderOptions(BaseModel):
    """The `source:` section of a file whose connector is `drop-folder`.

    Attributes:
        inbox: The folder where files are dropped.
        archive: The folder they go to; on the same file system as the inbox.
        pattern: Which names are taken.
        finished: When a file is finished: `unchanged` for `quiet_seconds`, or with a `marker`.
        marker: The ending that a marker file adds to the name of its file.
        quiet_seconds: How long size and time of change stay the same in a finished file.
        encoding: The files' character encoding.
        delimiter: One character between fields.
        header: Column names when files have no header line.
        columns: New names of columns, by the name in the header.
        max_bytes: A larger file is rejected unread.
        poll_seconds: How long to wait when nothing is new.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    inbox: Annotated[Path, Field(strict=False)]
    archive: Annotated[Path, Field(strict=False)]
    pattern: str = Field(default="*.csv", min_length=1)
    finished: Literal["unchanged", "marker"] = "unchanged"
    marker: str = Field(default=".done", min_length=1)
    quiet_seconds: float = Field(default=2.0, gt=0, le=86_400)
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    header: list[str] | None = Field(default=None, min_length=1)
    columns: dict[str, str] = Field(default_factory=dict)
    max_bytes: int = Field(default=268_435_456, ge=1)
    poll_seconds: float = Field(default=1.0, gt=0, le=86_400)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError:
            raise ValueError("expected a character encoding such as utf-8, cp1252 or iso-8859-15") from None
        return name

    @field_validator("delimiter")
    @classmethod
    def _usable_delimiter(cls, delimiter: str) -> str:
        if delimiter in '"\r\n':
            raise ValueError("expected a delimiter that is no quote and no end of line")
        return delimiter


@dataclass(frozen=True, slots=True)
class _Claimed:
    path: Path
    hash: str
    content: bytes
    problem: str | None = None


class DropFolderSource:
    """CSV files of a folder, one batch per file.

    A file's checkpoint is saved under the hash of its content, so content that was published is recognised
    under any name. A row's identity is that hash and its line.

    Args:
        options: The `source:` section.
        clock: Seconds on a clock that never goes back.
    """

    Options = DropFolderOptions
    guarantee: ClassVar[str] = (
        "every row of a finished file at least once with the same event id; "
        "the same content is published once, under any name, and read again if none of it was published; "
        "bad rows are dead-lettered with file and line"
    )

    def __init__(self, options: DropFolderOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self.poll_seconds = options.poll_seconds
        self._options = options
        self._clock = clock
        self._form = CsvForm(options.encoding, options.delimiter, options.header, options.columns)
        self._folder = Folder(
            options.inbox,
            options.archive,
            options.pattern,
            options.marker if options.finished == "marker" else None,
            options.quiet_seconds,
        )
        self._checkpoints: CheckpointReader | None = None

    async def connect(self, checkpoints: CheckpointReader) -> None:
        """Create the archive; see `Source.connect`."""
        await asyncio.to_thread(self._folder.open)
        self._checkpoints = checkpoints

    async def read(self) -> Batch | None:
        """The next file as a batch; see `Source.read`."""
        if self._checkpoints is None:
            raise NotConnectedError("read was called before connect")
        claimed = await asyncio.to_thread(self._claim)
        if claimed is None:
            return None
        if claimed.problem is not None:
            return self._rejected(claimed, claimed.problem)
        archive = partial(self._folder.archive, claimed.path, claimed.hash)
        if await self._checkpoints.has_published(claimed.hash):
            _LOG.info(
                "file %s has content of which rows were published before; it is archived only",
                claimed.path.name,
            )
            return Batch((), None, claimed.hash, archive)
        try:
            records = await asyncio.to_thread(
                records_of, claimed.content, self._form, file=claimed.path.name, identity=claimed.hash
            )
        except FileRejectedError as error:
            return self._rejected(claimed, str(error))
        checkpoint = {"file": claimed.path.name, "records": len(records)}
        return Batch(tuple(records), checkpoint, claimed.hash, archive)

    def check(self) -> None:
        """Check inbox and archive; see `Source.check`."""
        self._folder.check()

    def close(self) -> None:
        """Forget the checkpoints; see `Source.close`."""
        self._checkpoints = None

    def _rejected(self, claimed: _Claimed, problem: str) -> Batch:
        _LOG.warning("file %s goes to rejected/: %s", claimed.path.name, problem)
        record = MalformedRecord(
            claimed.content[:_SHOWN_BYTES], problem, {"file": claimed.path.name, "content": claimed.hash}
        )
        return Batch((record,), None, claimed.hash, partial(self._folder.reject, claimed.path, claimed.hash))

    def _claim(self) -> _Claimed | None:
        path = self._folder.next_file(self._clock())
        before = None if path is None else stamp_of(path)
        if path is None or before is None:
            return None
        stand_in = hashlib.sha256(f"{path.name}/{before}".encode(errors="surrogateescape")).hexdigest()
        if before.size > self._options.max_bytes:
            return _Claimed(path, stand_in, b"", "Expected a file of at most `max_bytes`, got a larger one")
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            return _Claimed(
                path, stand_in, b"", "Expected a file that govbus may read, got one without permission"
            )
        if stamp_of(path) != before:
            _LOG.warning("file %s changed while it was read; it is read again", path.name)
            return None
        return _Claimed(path, hashlib.sha256(content).hexdigest(), content)
