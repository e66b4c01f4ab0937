"""The jars of Kafka are the locked ones, or there is no Kafka."""

import hashlib
import re
import threading
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import pytest

from bus.embedded.errors import JarError
from bus.embedded.fetch import fetch_jars
from bus.embedded.jars import LOCK_NAME, Jar, cache_folder, locked_jars, provide_jars
from bus.embedded.progress import Progress

CONTENT = {"kafka": b"broker", "log": b"book"}
JARS = tuple(
    Jar("org.example", name, "1.0", hashlib.sha256(data).hexdigest(), len(data))
    for name, data in CONTENT.items()
)


class Repository:
    """Serves the content of each jar, or another one."""

    def __init__(self, content: dict[str, bytes] | None = None) -> None:
        self.content = CONTENT if content is None else content
        self.asked: list[str] = []

    def __call__(self, jars: Sequence[Jar], folder: Path, progress: Progress) -> dict[Jar, Path]:
        """Write each jar as the repository would serve it."""
        self.asked += [jar.artifact for jar in jars]
        for jar in jars:
            (folder / jar.artifact).write_bytes(self.content[jar.artifact])
        return {jar: folder / jar.artifact for jar in jars}


def test_the_lock_names_kafka_with_its_log_binding() -> None:
    """Every row has a hash and a size, the version is the pinned one, and the log can speak."""
    jars = {jar.artifact: jar for jar in locked_jars()}
    assert jars["kafka_2.13"].version == "4.4.0"
    assert jars["log4j-slf4j-impl"].version == jars["log4j-core"].version
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) and jar.size > 0 for jar in jars.values())


def test_the_lock_is_one_that_jgo_reads() -> None:
    """The format is jgo's own, so its tools work on our lock."""
    from jgo.env import LockFile

    with resources.as_file(resources.files("bus.embedded").joinpath(LOCK_NAME)) as path:
        theirs = LockFile.load(path)
    expected = [(jar.coordinate, jar.sha256) for jar in locked_jars()]
    assert expected == [(f"{d.groupId}:{d.artifactId}:{d.version}", d.sha256) for d in theirs.dependencies]


def test_missing_jars_are_fetched_once(tmp_path: Path) -> None:
    """A second start finds them and asks nobody."""
    repository = Repository()
    first = provide_jars(JARS, tmp_path, repository, _ignore)
    assert first == provide_jars(JARS, tmp_path, repository, _ignore)
    assert repository.asked == ["kafka", "log"]
    assert [path.read_bytes() for path in first] == [b"broker", b"book"]


def test_a_cached_jar_that_was_changed_is_refused(tmp_path: Path) -> None:
    """The message names the file, both hashes and the way out."""
    changed = provide_jars(JARS, tmp_path, Repository(), _ignore)[1]
    changed.write_bytes(b"evil")
    with pytest.raises(JarError) as caught:
        provide_jars(JARS, tmp_path, Repository(), _ignore)
    found = hashlib.sha256(b"evil").hexdigest()
    expected = (
        f"refused {changed} - expected SHA-256 {JARS[1].sha256} for org.example:log:1.0, got {found}"
        " - delete the file and start again to fetch it anew"
    )
    assert str(caught.value) == expected


def test_a_served_jar_that_differs_never_reaches_the_cache(tmp_path: Path) -> None:
    """The repository's file is refused before it gets its name in the cache."""
    with pytest.raises(JarError, match=r"refused org\.example:log:1\.0 - expected SHA-256"):
        provide_jars(JARS, tmp_path, Repository({"kafka": b"broker", "log": b"evil"}), _ignore)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "kafka-1.0.jar"]


def test_what_a_killed_download_left_is_swept(tmp_path: Path) -> None:
    """Half a file in the staging folder neither stops nor spoils the next start."""
    staging = tmp_path / ".staging"
    staging.mkdir()
    (staging / "kafka").write_bytes(b"bro")
    provide_jars(JARS, tmp_path, Repository(), _ignore)
    assert not staging.exists()


def test_two_starts_at_once_fetch_once(tmp_path: Path) -> None:
    """The second waits for the first and then finds the jars."""
    repository = Repository()

    def slowly(jars: Sequence[Jar], folder: Path, progress: Progress) -> dict[Jar, Path]:
        time.sleep(0.2)
        return repository(jars, folder, progress)

    starts = [threading.Thread(target=provide_jars, args=(JARS, tmp_path, slowly, _ignore)) for _ in range(2)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert repository.asked == ["kafka", "log"]


def test_without_a_network_the_message_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the jar, how many more, and three ways out."""
    monkeypatch.setenv("GOVBUS_MAVEN_REPOSITORY", "http://127.0.0.1:1")
    with pytest.raises(JarError) as caught:
        fetch_jars(JARS, tmp_path, _ignore)
    expected = (
        "could not fetch org.example:kafka:1.0 and 1 more (0 MB) of Apache Kafka 4.4.0"
        " - the Maven repository gave no answer (ConnectionError) - connect this machine to the network once,"
        " or set GOVBUS_MAVEN_REPOSITORY to a mirror, or GOVBUS_BOOTSTRAP_SERVERS to a running cluster"
    )
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"GOVBUS_CACHE": "/kept"}, "linux", "/kept"),
        ({"XDG_CACHE_HOME": "/xdg"}, "linux", "/xdg/govbus"),
        ({}, "linux", "~/.cache/govbus"),
        ({"XDG_CACHE_HOME": "/xdg"}, "darwin", "~/Library/Caches/govbus"),
        ({"GOVBUS_CACHE": "/kept"}, "darwin", "/kept"),
    ],
)
def test_the_cache_is_where_the_platform_keeps_caches(
    environ: dict[str, str], platform: str, expected: str
) -> None:
    """`GOVBUS_CACHE` overrides it."""
    assert cache_folder(environ, platform) == Path(expected).expanduser()


def _ignore(done: int, total: int) -> None:
    pass
