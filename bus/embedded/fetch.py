"""Fetching Kafka's jars and making their lock, both with `jgo`, without Maven."""

import hashlib
import logging
import os
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bus.embedded.errors import JarError
from bus.embedded.jars import KAFKA_VERSION, LOCK_NAME, Jar
from bus.embedded.progress import MEGABYTE, Progress

KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# Kafka speaks slf4j 1.7 and depends on log4j 2 without the bridge between them: mute without this jar.
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"
LOG_CORE = "log4j-core"
PARALLEL_DOWNLOADS = 6
TIMEOUT_SECONDS = 30
TRUST_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def fetch_jars(jars: Sequence[Jar], folder: Path, progress: Progress) -> dict[Jar, Path]:
    """Download jars from a Maven repository into a folder.

    `GOVBUS_MAVEN_REPOSITORY` names the repository; else jgo's own settings do, else it is jgo's default.

    Args:
        jars: The jars.
        folder: An empty folder.
        progress: Called with the bytes fetched so far and in total.

    Raises:
        JarError: A jar could not be fetched, or `jgo` is not installed.
    """
    context = _context(folder, _counted(progress, sum(jar.size for jar in jars)))

    def bring(jar: Jar) -> Path:
        artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        return Path(artifact.resolve())

    with _system_trust(), ThreadPoolExecutor(PARALLEL_DOWNLOADS) as threads:
        pending = {jar: threads.submit(bring, jar) for jar in jars}
        try:
            return {jar: future.result() for jar, future in pending.items()}
        except (OSError, RuntimeError) as error:  # jgo: network faults are OSError, "not found" RuntimeError
            threads.shutdown(cancel_futures=True)
            raise JarError(_unfetched(jars, pending, error)) from error


def write_lock(path: Path) -> int:
    """Resolve Kafka and its runtime dependencies, write the lock, and return the number of jars.

    Args:
        path: The lock file.
    """
    with tempfile.TemporaryDirectory() as scratch, _system_trust():
        context = _context(Path(scratch), None)
        inputs, dependencies = context.resolver.resolve([context.create_dependency(KAFKA)])
        artifacts = [dependency.artifact for dependency in (*inputs, *dependencies)]
        version = next(artifact.version for artifact in artifacts if artifact.artifactId == LOG_CORE)
        # Alone: resolved together, the binding's parent would govern the versions of Kafka's own jars.
        artifacts.append(context.create_dependency(f"{LOG_BINDING}:{version}").artifact)
        path.write_text(_LOCK_HEAD + "".join(_lock_row(artifact) for artifact in artifacts), "utf-8")
    return len(artifacts)


_LOCK_HEAD = """\
# The jars of the embedded Kafka. Made by `make lock`; jgo's own lock format, and each file's size in bytes.
[environment]
name = "kafka"
min_java_version = 17
"""


def _lock_row(artifact: Any) -> str:
    data = Path(artifact.resolve()).read_bytes()
    return (
        f'\n[[dependencies]]\ngroupId = "{artifact.groupId}"\nartifactId = "{artifact.artifactId}"\n'
        f'version = "{artifact.version}"\npackaging = "jar"\n'
        f'sha256 = "{hashlib.sha256(data).hexdigest()}"\nsize = {len(data)}\n'
    )


def _context(folder: Path, callback: Any) -> Any:
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415 - only for a download, and an optional extra
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    except ImportError as error:
        msg = "cannot fetch Apache Kafka - the package jgo is not installed - pip install 'govbus[embedded]'"
        raise JarError(msg) from error
    logging.getLogger("jgo").setLevel(logging.ERROR)
    named = os.environ.get("GOVBUS_MAVEN_REPOSITORY")
    repositories = {"named": named.rstrip("/")} if named else GlobalSettings.load().repositories
    return MavenContext(
        resolver=PythonResolver(progress_callback=callback),
        repo_cache=folder,
        remote_repos=repositories or {"default": MAVEN_CENTRAL_URL},
        timeout=TIMEOUT_SECONDS,
    )


@contextmanager
def _system_trust() -> Iterator[None]:
    """Use the machine's trusted certificates: `requests` alone fails where a network inspects TLS."""
    paths = ssl.get_default_verify_paths()
    trusted = next((path for path in (paths.cafile, paths.capath) if path), None)
    if trusted is None or any(name in os.environ for name in TRUST_VARIABLES):
        yield
        return
    os.environ[TRUST_VARIABLES[0]] = trusted
    try:
        yield
    finally:
        del os.environ[TRUST_VARIABLES[0]]


def _counted(progress: Progress, total: int) -> Callable[[str, int], Any]:
    done, guard = 0, threading.Lock()

    def advance(size: int) -> None:
        nonlocal done
        with guard:
            done += size
            progress(min(done, total), total)

    @contextmanager
    def one_file(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield advance

    return one_file


_WHY = {
    "ConnectionError": "the Maven repository gave no answer",
    "RuntimeError": "the Maven repository does not have it",
    "SSLError": "its certificate is not trusted here, see REQUESTS_CA_BUNDLE",
}


def _unfetched(jars: Sequence[Jar], pending: Mapping[Jar, Any], error: Exception) -> str:
    failed = [
        jar for jar in jars if not pending[jar].done() or pending[jar].cancelled() or pending[jar].exception()
    ]
    size = sum(jar.size for jar in failed) / MEGABYTE
    others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    why = _WHY.get(type(error).__name__, _WHY["ConnectionError"])
    return (
        f"could not fetch {failed[0].coordinate}{others} ({size:.0f} MB) of Apache Kafka {KAFKA_VERSION}"
        f" - {why} ({type(error).__name__}) - connect this machine to the network once, or set"
        " GOVBUS_MAVEN_REPOSITORY to a mirror, or GOVBUS_BOOTSTRAP_SERVERS to a running cluster"
    )


if __name__ == "__main__":
    write_lock(Path(__file__).with_name(LOCK_NAME))
