"""The drop folder publishes each finished file once, whole, and loses none, wherever the process dies."""

import os
from pathlib import Path
from typing import Any

import pytest

from connectors import Batch, ConfigurationError, MalformedRecord, NotConnectedError, Source
from connectors.drop_folder import DropFolderOptions, DropFolderSource
from connectors.testing import MemoryCheckpoints, SourceTests, acknowledge, settled


class Clock:
    """A clock that goes ten seconds further at every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        self.now += 10
        return self.now


def source_over(folder: Path, **options: Any) -> DropFolderSource:
    """A source over `inbox` and `archive` of a folder."""
    values = {"inbox": str(folder / "inbox"), "archive": str(folder / "archive"), **options}
    return DropFolderSource(DropFolderOptions.model_validate(values), Clock())


class TestDropFolderSource(SourceTests):
    """The drop folder keeps the promise of a source."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.files = 0
        (tmp_path / "inbox").mkdir()

    def make_source(self) -> Source:
        """A source over the folder."""
        return source_over(self.folder)

    def add_records(self, count: int) -> None:
        """Drop one file."""
        self.files += 1
        rows = "".join(f"{self.files}-{number}\n" for number in range(count))
        (self.folder / "inbox" / f"{self.files}.csv").write_text("reference\n" + rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an inbox."""
    (tmp_path / "inbox").mkdir()
    return tmp_path


async def next_batch(source: DropFolderSource) -> Batch | None:
    """The batch of the second look, since a file has to be seen unchanged first."""
    return await source.read() or await source.read()


def names(folder: Path) -> list[str]:
    """All files below a folder, by path."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def test_a_file_that_still_grows_is_left_alone(folder: Path) -> None:
    """Only a file with the same size and time at two looks is finished."""
    file = folder / "inbox" / "a.csv"
    source = source_over(folder)
    await source.connect(MemoryCheckpoints())
    for size in range(3):
        file.write_text("reference\n" + "x\n" * size)
        os.utime(file, (size, size))
        assert await source.read() is None
    assert await source.read() is not None


async def test_a_file_with_a_marker_waits_for_it(folder: Path) -> None:
    """With `finished: marker` only the marker counts, and it goes with its file."""
    source, checkpoints = source_over(folder, finished="marker"), MemoryCheckpoints()
    await source.connect(checkpoints)
    (folder / "inbox" / "a.csv").write_text("reference\n1\n")
    assert await source.read() is None
    assert await source.read() is None
    (folder / "inbox" / "a.csv.done").touch()
    batch = await source.read()
    assert batch is not None
    await acknowledge(batch, checkpoints)
    assert names(folder / "inbox") == []


async def test_unfinished_names_links_and_folders_are_left_alone(folder: Path) -> None:
    """Temporary names, hidden files, links and folders are no files to take."""
    inbox = folder / "inbox"
    outside = folder / "secret.csv"
    outside.write_text("reference\n1\n")
    (inbox / "link.csv").symlink_to(outside)
    (inbox / "folder.csv").mkdir()
    for name in (".hidden.csv", "a.csv.part", "b.csv.tmp", "c.txt"):
        (inbox / name).write_text("reference\n1\n")
    source = source_over(folder, pattern="*")
    await source.connect(MemoryCheckpoints())
    taken = [batch async for batch in _batches(source)]
    assert [record.where["file"] for batch in taken for record in batch.records] == ["c.txt"]


async def _batches(source: DropFolderSource, looks: int = 6) -> Any:
    for _ in range(looks):
        batch = await source.read()
        if batch is not None:
            await settled(batch.acknowledge())
            yield batch


async def test_the_same_content_under_another_name_is_recognised(folder: Path) -> None:
    """A file that is dropped a second time is archived and not published."""
    source, checkpoints = source_over(folder), MemoryCheckpoints()
    await source.connect(checkpoints)
    (folder / "inbox" / "monday.csv").write_text("reference\n1\n")
    first = await next_batch(source)
    assert first is not None
    await acknowledge(first, checkpoints)
    (folder / "inbox" / "tuesday.csv").write_text("reference\n1\n")
    second = await next_batch(source)
    assert second is not None
    assert second.records == ()
    await acknowledge(second, checkpoints)
    assert len(names(folder / "archive")) == 2
    assert names(folder / "inbox") == []


async def test_a_file_dropped_while_its_namesake_is_published_is_not_lost(folder: Path) -> None:
    """The next `daily.csv` may come before the last one is archived."""
    source, checkpoints = source_over(folder), MemoryCheckpoints()
    await source.connect(checkpoints)
    file = folder / "inbox" / "daily.csv"
    file.write_text("reference\n1\n")
    first = await next_batch(source)
    file.write_text("reference\n2\n")
    assert first is not None
    await acknowledge(first, checkpoints)
    second = await next_batch(source)
    assert second is not None
    await acknowledge(second, checkpoints)
    assert [record.data for record in second.records if not isinstance(record, MalformedRecord)] == [
        {"reference": "2"}
    ]
    assert len(names(folder / "archive")) == 2


async def test_a_process_that_dies_at_any_point_loses_no_file_and_publishes_each_once(folder: Path) -> None:
    """Killed after reading or after the checkpoint: the same identities, and the file is archived."""
    checkpoints = MemoryCheckpoints()
    (folder / "inbox" / "a.csv").write_text("reference\n1\n2\n")
    died_after_read = source_over(folder)
    await died_after_read.connect(checkpoints)
    first = await next_batch(died_after_read)
    assert first is not None

    died_after_checkpoint = source_over(folder)
    await died_after_checkpoint.connect(checkpoints)
    second = await next_batch(died_after_checkpoint)
    assert second is not None
    assert second.records == first.records
    await checkpoints.save(second.checkpoint, second.partition)

    last = source_over(folder)
    await last.connect(checkpoints)
    third = await next_batch(last)
    assert third is not None
    assert third.records == ()
    await acknowledge(third, checkpoints)
    assert await next_batch(last) is None
    assert len(names(folder)) == 1


@pytest.mark.parametrize("content", [b"", b"reference\n", b"[1]", b"<a/>"])
async def test_a_file_without_a_row_is_never_archived_as_done(
    folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes to `rejected` with one dead letter and one line in the log, which say what it probably is."""
    source, checkpoints = source_over(folder), MemoryCheckpoints()
    await source.connect(checkpoints)
    (folder / "inbox" / "a.csv").write_bytes(content)
    batch = await next_batch(source)
    assert batch is not None
    (record,) = batch.records
    assert isinstance(record, MalformedRecord)
    assert "probably" in record.problem
    assert record.problem in caplog.text
    await acknowledge(batch, checkpoints)
    (name,) = names(folder)
    assert name.startswith("archive/rejected/a.")


@pytest.mark.parametrize(
    ("content", "options"),
    [(b"a,a\n1,2\n", {}), (b"reference\n1\n", {"max_bytes": 5}), (b"a\n1\n", {"columns": {"b": "c"}})],
)
async def test_a_file_that_cannot_be_trusted_is_set_aside_and_may_be_dropped_again(
    folder: Path, content: bytes, options: dict[str, Any]
) -> None:
    """It goes to `rejected` with one dead letter, and no checkpoint stands in the way of another try."""
    source, checkpoints = source_over(folder, **options), MemoryCheckpoints()
    await source.connect(checkpoints)
    for _ in range(2):
        (folder / "inbox" / "a.csv").write_bytes(content)
        batch = await next_batch(source)
        assert batch is not None
        (record,) = batch.records
        assert isinstance(record, MalformedRecord)
        assert record.where["file"] == "a.csv"
        await acknowledge(batch, checkpoints)
    assert all(name.startswith("rejected/a.") for name in names(folder / "archive"))


async def test_a_file_that_vanishes_is_forgotten(folder: Path) -> None:
    """A file taken away between two looks is no error."""
    source = source_over(folder)
    await source.connect(MemoryCheckpoints())
    file = folder / "inbox" / "a.csv"
    file.write_text("reference\n1\n")
    assert await source.read() is None
    file.unlink()
    assert await source.read() is None


async def test_a_file_that_vanishes_or_changes_while_it_is_read_is_not_published(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is only published when the file stood still meanwhile."""
    source = source_over(folder)
    await source.connect(MemoryCheckpoints())
    (folder / "inbox" / "a.csv").write_text("reference\n1\n")
    read_bytes = Path.read_bytes

    def grow(path: Path) -> bytes:
        content = read_bytes(path)
        path.write_bytes(content + b"2\n")
        return content

    def vanish(path: Path) -> bytes:
        path.unlink()
        return read_bytes(path)

    assert await source.read() is None
    monkeypatch.setattr(Path, "read_bytes", grow)
    assert await source.read() is None
    monkeypatch.setattr(Path, "read_bytes", vanish)
    assert await source.read() is None
    monkeypatch.undo()
    assert await source.read() is None


async def test_a_file_that_may_not_be_read_does_not_stop_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is set aside with its name, and the next file is published."""
    source, checkpoints = source_over(folder), MemoryCheckpoints()
    await source.connect(checkpoints)
    (folder / "inbox" / "a.csv").write_text("reference\n1\n")
    read_bytes = Path.read_bytes

    def deny(path: Path) -> bytes:
        if path.name == "a.csv":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", deny)
    batch = await next_batch(source)
    assert batch is not None
    assert isinstance(batch.records[0], MalformedRecord)
    await acknowledge(batch, checkpoints)
    (folder / "inbox" / "b.csv").write_text("reference\n2\n")
    assert await next_batch(source) is not None


async def test_a_missing_inbox_is_waited_for(tmp_path: Path) -> None:
    """The folder of a share that is not mounted yet is a matter of time."""
    with pytest.raises(NotConnectedError):
        await source_over(tmp_path).connect(MemoryCheckpoints())


async def test_an_archive_that_is_the_inbox_is_refused(folder: Path) -> None:
    """Files would be read for ever."""
    source = source_over(folder, archive=str(folder / "inbox"))
    with pytest.raises(ConfigurationError, match="same folder"):
        await source.connect(MemoryCheckpoints())


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_an_archive_on_another_file_system_is_refused(folder: Path) -> None:
    """A file must never be half moved."""
    if Path("/dev/shm").stat().st_dev == folder.stat().st_dev:
        pytest.skip("the temporary folder is on the only second file system")
    with pytest.raises(ConfigurationError, match="another file system"):
        source_over(folder, archive="/dev/shm/govbus-archive").check()
