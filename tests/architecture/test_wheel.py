"""The wheel is whole: every document ships, and it works alone from one folder."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.architecture.project import ROOMS, ROOT, committed_files

START = "bus/start.py"
PROGRAM = """
import importlib, sys
from pathlib import Path
from bus.cli import run
from bus.rooms import ROOMS
parents = {Path(importlib.import_module(room).__file__).parent.parent for room in ROOMS}
assert parents == {Path(sys.argv[1])}, parents
from bus.embedded.jars import locked_jars
from contracts import Catalog
assert locked_jars() and Catalog.open("reference").contracts
assert run(["new", "country"]) == run(["contracts", "lint"]) == run(["--help"]) == 0
import govbus
sys.argv[1:] = ["--version"]
govbus.main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of this checkout."""
    return _built("wheel", "*.whl", tmp_path_factory.mktemp("wheel"))


def test_the_source_distribution_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """Who builds from it gets what we build."""
    packed = _built("sdist", "*.tar.gz", tmp_path)
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")
    again = _built("wheel", "*.whl", tmp_path, tmp_path / packed.name.removesuffix(".tar.gz"))
    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(again) as theirs:
        assert sorted(theirs.namelist()) == sorted(ours.namelist())


def test_every_committed_file_of_the_rooms_ships(wheel: Path) -> None:
    """Contracts, services, pages, dashboards and locks are as much part of the bus as its modules."""
    kept = {path.relative_to(ROOT).as_posix() for path in committed_files()}
    expected = {path for path in kept if path.partition("/")[0] in ROOMS} - {START}
    with zipfile.ZipFile(wheel) as archive:
        assert expected - set(archive.namelist()) == set()
        assert archive.read("govbus.py") == (ROOT / START).read_bytes()


def test_nothing_else_ships(wheel: Path) -> None:
    """No test and no stray folder lands among the user's packages."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {*ROOMS, "govbus.py"}


def test_it_works_alone(wheel: Path, tmp_path: Path) -> None:
    """Installed into an empty folder beside its dependencies, all four rooms load from there.

    Where a folder hides one, its command says so, of `bus` too, which it would otherwise start from.
    """
    target = tmp_path / "alone"
    _python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target), str(wheel))
    dependencies = sysconfig.get_paths()["purelib"]
    # -S leaves out the .pth file through which this environment finds the checkout.
    alone = {**os.environ, "PYTHONPATH": os.pathsep.join([str(target), dependencies])}
    _python("-S", "-P", "-c", PROGRAM, str(target), cwd=tmp_path, env=alone)
    (tmp_path / "bus").mkdir()
    (tmp_path / "bus" / "__init__.py").touch()
    refused = _ran("-S", "-m", "govbus", "--version", cwd=tmp_path, env=alone)
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        f"error: the package `bus` loads from {tmp_path / 'bus' / '__init__.py'}, but govbus from {target}"
    )


def _built(kind: str, pattern: str, folder: Path, source: Path = ROOT) -> Path:
    _python("-m", "hatchling", "build", "-t", kind, "-d", str(folder), cwd=source)
    (path,) = folder.glob(pattern)
    return path


def _python(*arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    done = _ran(*arguments, cwd=cwd, env=env)
    assert done.returncode == 0, done.stderr


def _ran(*arguments: str, cwd: Path, env: dict[str, str] | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
