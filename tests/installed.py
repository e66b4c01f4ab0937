"""Programs of others that tests run, each installed once for the user, by what names its versions."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest

PATIENCE_SECONDS = 1500
"""How long an installation may take: the Go compiler alone takes minutes on a busy machine."""


def installed(name: str, files: Sequence[Path], install: Callable[[Path], None]) -> Path:
    """Return the folder of the user's cache that `install` has filled, now or in an earlier run.

    Args:
        name: of the folder; a digest of the files follows it.
        files: what names the versions; copied into the folder first.
        install: fills the folder it is given.
    """
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "govbus"
    folder = cache / f"{name}-{digest}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as draft:
            inner = Path(draft) / "whole"
            inner.mkdir()
            for file in files:
                shutil.copy(file, inner)
            install(inner)
            if not folder.exists():
                inner.rename(folder)
    return folder


def program(name: str, package: str) -> str:
    """Return where a program is; skip, with what to install, where it is not."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no `{name}` here - install it (Debian: apt-get install {package})")
    return found


def run(
    *words: str,
    folder: Path | None = None,
    given: str = "",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Run a program to its end, with what it reads; return what it prints."""
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **environment},
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{words[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def npm_packages(name: str, files: Sequence[Path]) -> Path:
    """Return a folder with the packages that a `package.json` names, none of whose scripts has run."""
    npm = program("npm", "npm")
    command = "ci" if any(file.name == "package-lock.json" for file in files) else "install"

    def install(folder: Path) -> None:
        run(npm, command, "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)

    return installed(name, files, install)
