"""The files of a drop folder: found, recognised as finished, claimed, archived.

    inbox/x.csv --claim--> archive/.in-progress/x.csv --archive--> archive/x.<hash>.csv
                                                      `-reject---> archive/rejected/x.<hash>.csv

Each arrow is one rename on one file system, so a file is always whole and in one place. A file is claimed
before it is read, so that a second file dropped under its name while it is published is another file.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import ConfigurationError, NotConnectedError
from contracts import visible_logger

_LOG = visible_logger("govbus.connectors.drop_folder")
_IN_PROGRESS = ".in-progress"
_REJECTED = "rejected"
_UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload")


@dataclass(frozen=True, slots=True)
class FileStamp:
    """Size, time of change and inode of a file; they stay the same while nobody writes to it."""

    size: int
    changed_ns: int
    inode: int


def stamp_of(path: Path) -> FileStamp | None:
    """The stamp of a file, None when it has vanished or is no regular file."""
    try:
        found = path.lstat()
    except OSError:
        return None
    # Only regular files: a link could point outside the folder, a pipe would block.
    regular = path.is_file() and not path.is_symlink()
    return FileStamp(found.st_size, found.st_mtime_ns, found.st_ino) if regular else None


class Folder:
    """The inbox and its archive.

    Args:
        inbox: Where files are dropped.
        archive: Where they go; on the same file system.
        pattern: Which names are taken, such as `*.csv`.
        marker: The ending of a marker file that says a file is finished; None to go by an unchanged stamp.
        quiet_seconds: How long a stamp has to stay unchanged.
    """

    def __init__(
        self, inbox: Path, archive: Path, pattern: str, marker: str | None, quiet_seconds: float
    ) -> None:
        self._inbox = inbox
        self._archive = archive
        self._pattern = pattern
        self._marker = marker
        self._quiet_seconds = quiet_seconds
        self._stamps: dict[Path, tuple[FileStamp, float]] = {}
        self._logged: set[Path] = set()

    def open(self) -> None:
        """Create the archive folders where they are missing.

        Raises:
            NotConnectedError: The inbox cannot be reached now.
            ConfigurationError: The archive cannot be used.
        """
        self.check()
        try:
            (self._archive / _IN_PROGRESS).mkdir(parents=True, exist_ok=True)
            (self._archive / _REJECTED).mkdir(exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                "the archive folder cannot be created",
                _why(error),
                "name a folder that govbus may write to",
            ) from None
        self._same_file_system(self._archive)
        self._stamps.clear()

    def check(self) -> None:
        """Check inbox and archive, creating nothing; raises as `open` does."""
        if not self._inbox.is_dir():
            raise NotConnectedError("the inbox is not a folder or cannot be reached")
        standing = next(folder for folder in (self._archive, *self._archive.parents) if folder.exists())
        self._same_file_system(standing)
        if self._archive.resolve() == self._inbox.resolve():
            raise ConfigurationError(
                "inbox and archive are the same folder",
                "archived files would be read again",
                "name another archive",
            )

    def _same_file_system(self, archive: Path) -> None:
        try:
            same = archive.stat().st_dev == self._inbox.stat().st_dev
        except OSError as error:
            raise NotConnectedError(f"inbox or archive cannot be reached: {_why(error)}") from None
        if not same:
            raise ConfigurationError(
                "the archive is on another file system than the inbox",
                "a move between them is not one step, and may leave half a file",
                "name an archive beside the inbox",
            )

    def next_file(self, now: float) -> Path | None:
        """Claim the next finished file, oldest first; a file left over from an earlier run comes first.

        Args:
            now: Seconds on a clock that never goes back.

        Raises:
            NotConnectedError: The inbox cannot be listed.
        """
        try:
            left_over = sorted(path for path in (self._archive / _IN_PROGRESS).iterdir() if stamp_of(path))
            dropped = self._finished(now)
        except OSError as error:
            raise NotConnectedError(f"the inbox cannot be listed: {_why(error)}") from None
        if left_over:
            return left_over[0]
        return next((claimed for path in dropped if (claimed := self._claim(path))), None)

    def _claim(self, path: Path) -> Path | None:
        claimed = self._archive / _IN_PROGRESS / path.name
        try:
            path.rename(claimed)
            self._drop_marker(path.name)
        except FileNotFoundError:
            return None
        except OSError as error:
            if path not in self._logged:
                self._logged.add(path)
                _LOG.warning(
                    "file %s cannot be claimed: %s; the other files are read", path.name, _why(error)
                )
            return None
        return claimed

    def _finished(self, now: float) -> list[Path]:
        marks = {path: mark for path in self._inbox.glob(self._pattern) if (mark := self._candidate(path))}
        known = self._stamps
        self._stamps = {
            path: known[path] if path in known and known[path][0] == mark else (mark, now)
            for path, mark in marks.items()
        }
        if self._marker is None:
            finished = [
                path for path, (_, since) in self._stamps.items() if now - since >= self._quiet_seconds
            ]
        else:
            finished = [path for path in marks if path.with_name(path.name + self._marker).exists()]
        return sorted(finished, key=lambda path: (marks[path].changed_ns, path.name))

    def _candidate(self, path: Path) -> FileStamp | None:
        unfinished = path.name.startswith(".") or path.name.endswith(_UNFINISHED)
        is_marker = self._marker is not None and path.name.endswith(self._marker)
        return None if unfinished or is_marker else stamp_of(path)

    def _drop_marker(self, name: str) -> None:
        """A marker left behind would make the next file of its name count as finished too early."""
        if self._marker is not None and not self._inbox.joinpath(name).exists():
            self._inbox.joinpath(name + self._marker).unlink(missing_ok=True)

    def archive(self, claimed: Path, content: str) -> None:
        """Move a published file to the archive; a second call changes nothing.

        Args:
            claimed: The file as `next_file` gave it.
            content: The hash of its content, part of its name in the archive.
        """
        self._move(claimed, self._archive, content)

    def reject(self, claimed: Path, content: str) -> None:
        """Move a file that was not published to `rejected/`; it may be corrected and dropped again."""
        self._move(claimed, self._archive / _REJECTED, content)

    def _move(self, claimed: Path, folder: Path, content: str) -> None:
        target = folder / f"{claimed.stem}.{content[:16]}{claimed.suffix}"
        try:
            # The name has the hash in it: a file that it replaces has the same content.
            with contextlib.suppress(FileNotFoundError):
                claimed.rename(target)
            self._drop_marker(claimed.name)
        except OSError as error:
            raise NotConnectedError(f"a file cannot be moved to the archive: {_why(error)}") from None


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
