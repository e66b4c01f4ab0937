"""Kafka's jars: locked with their SHA-256, kept in the user's cache, refused if they differ.

A jar enters the cache by one rename, after its hash was checked, so no reader sees half a file. One process
downloads at a time; the others wait and then find the jars. With a full cache no network is needed.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from bus.embedded.errors import JarError
from bus.embedded.progress import Progress

LOCK_NAME = "kafka.lock.toml"
KAFKA_VERSION = "4.4.0"

Fetch = Callable[[Sequence["Jar"], Path, Progress], Mapping["Jar", Path]]
"""Brings jars into a folder and says where each of them is."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked file of a Maven repository.

    Attributes:
        group: Maven's groupId.
        artifact: Maven's artifactId.
        version: Its exact version.
        sha256: The hash of the file, in hexadecimal.
        size: Its length in bytes.
    """

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def coordinate(self) -> str:
        """The name in Maven repositories."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        """The name of the file in the cache."""
        return f"{self.artifact}-{self.version}.jar"


def cache_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return the folder that keeps downloaded files; `GOVBUS_CACHE` overrides the platform's own."""
    if named := environ.get("GOVBUS_CACHE"):
        return Path(named).expanduser().absolute()
    if platform == "darwin":
        return Path("~/Library/Caches/govbus").expanduser()
    base = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "govbus"


def locked_jars() -> tuple[Jar, ...]:
    """Return the locked jars, Kafka's own first."""
    document = tomllib.loads(resources.files("bus.embedded").joinpath(LOCK_NAME).read_text("utf-8"))
    return tuple(
        Jar(row["groupId"], row["artifactId"], row["version"], row["sha256"], row["size"])
        for row in document["dependencies"]
    )


def provide_jars(jars: Sequence[Jar], folder: Path, fetch: Fetch, progress: Progress) -> tuple[Path, ...]:
    """Return the path of each jar; missing ones are fetched.

    Args:
        jars: The jars.
        folder: The folder of jars; created if missing.
        fetch: Fetches missing jars.
        progress: Called with the bytes fetched so far and in total.

    Raises:
        JarError: A jar could not be fetched, or its hash is not the locked one.
    """
    if _missing(jars, folder):
        with _only_process(folder):
            if missing := _missing(jars, folder):
                _fetch_into(missing, folder, fetch, progress)
    for jar in jars:
        path = folder / jar.file_name
        if (found := _sha256(path)) != jar.sha256:
            msg = (
                f"refused {path} - expected SHA-256 {jar.sha256} for {jar.coordinate}, got {found}"
                " - delete the file and start again to fetch it anew"
            )
            raise JarError(msg)
    return tuple(folder / jar.file_name for jar in jars)


def _missing(jars: Sequence[Jar], folder: Path) -> list[Jar]:
    return [jar for jar in jars if not (folder / jar.file_name).exists()]


def _fetch_into(missing: Sequence[Jar], folder: Path, fetch: Fetch, progress: Progress) -> None:
    staging = folder / ".staging"
    shutil.rmtree(staging, ignore_errors=True)  # left by a process that was killed
    staging.mkdir()
    try:
        for jar, path in fetch(missing, staging, progress).items():
            if (found := _sha256(path)) != jar.sha256:
                msg = (
                    f"refused {jar.coordinate} - expected SHA-256 {jar.sha256}, the repository served {found}"
                    " - set GOVBUS_MAVEN_REPOSITORY to a repository that serves the published file"
                )
                raise JarError(msg)
            path.replace(folder / jar.file_name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _only_process(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
