"""`--against`: the earlier catalogue to compare with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from contracts.documents import git
from contracts.documents.archive import is_archive, write_from_archive
from contracts.errors import ContractError, GitError, SnapshotError
from contracts.lint.breaking import Before
from contracts.lint.soundness import load_sound

LIVE: Final = "govbus.contracts.live"
"""Entry-point group of a function that writes the live catalogue into an empty folder and returns it."""

_HOW: Final = (
    "--against FOLDER, --against .git#branch=NAME (or tag=, ref=, and subdir=), the same with the URL of a "
    "repository, --against catalogue.tar.gz (or .zip, and #subdir=), or --against live"
)
_KINDS: Final = ("branch", "tag", "ref")
# `https://forge.example/contracts.git@v1` is `...git#ref=v1`; the `@` before a host is another.
_AT: Final = re.compile(r"(?P<place>.*\.git)@(?P<name>[^/@#]+)(?P<rest>#.*)?")


def against_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--against`."""
    return click.option(
        "--against",
        metavar="FOLDER|.git#branch=NAME|URL.git#tag=NAME|ARCHIVE|live",
        help="The earlier catalogue: a folder; a branch, tag or ref of a git repository, here or at a URL, "
        "with `subdir=` if it has another path; a .zip, .tar or .tar.gz archive; or `live`, the registry of "
        "the cluster. By default the commit at which the current branch left the trunk.",
    )(command)


def catalog_before(against: str | None, catalog: Path, *, compiled: bool = True) -> Before:
    """The catalogue that `--against` names.

    Args:
        against: The value of the option.
        catalog: The folder of the current catalogue.
        compiled: Whether to compile every schema.

    Raises:
        click.UsageError: The value does not name a catalogue.
        ContractError: The catalogue cannot be read.
    """
    if against == "live":
        return _live(compiled=compiled)
    if against is not None and _is_folder(against):
        return _folder(against, compiled=compiled)
    with _snapshot(against, catalog) as folder:
        return Before.of(load_sound(folder, compiled=compiled))


def _is_folder(against: str) -> bool:
    if (Path(against) / "agencies").is_dir():
        return True
    is_other = git.is_remote(against) or is_archive(against) or against.endswith(".git")
    return not (is_other or "#" in against or _AT.fullmatch(against))


def _folder(against: str, *, compiled: bool) -> Before:
    folder = Path(against)
    if not (folder / "agencies").is_dir():
        raise click.UsageError(f"Expected a folder with `agencies/` - pass {_HOW}")
    return Before.of(load_sound(folder, compiled=compiled))


@contextmanager
def _snapshot(against: str | None, catalog: Path) -> Iterator[Path]:
    with TemporaryDirectory(prefix="govbus-") as folder, TemporaryDirectory(prefix="govbus-") as mirror:
        try:
            if against is None:
                git.write_catalog(git.merge_base(catalog), Path(folder))
            else:
                _write(against, catalog, Path(folder), Path(mirror))
        except SnapshotError as error:
            what = f"Cannot compare: {error}"
            raise click.UsageError(f"{what} - pass {_HOW}") from None
        yield Path(folder)


def _write(against: str, catalog: Path, folder: Path, mirror: Path) -> None:
    place, settings = _parsed(against)
    subdir = settings.get("subdir")
    if is_archive(place):
        _require_archive(place, settings)
        write_from_archive(Path(place), subdir or "", folder)
        return
    kind = next((kind for kind in _KINDS if kind in settings), "ref")
    name = settings.get(kind, "HEAD")
    if git.is_remote(place):
        found = git.fetched(place, kind, name, mirror)
        own = _own_folder(catalog) if subdir is None else subdir
        folder_there = own if subdir is not None or git.has_catalog(found, own) else ""
        git.write_catalog(replace(found, folder=folder_there.strip("/")), folder)
        return
    repository = Path(place)
    if not repository.is_dir():
        raise click.UsageError(f"Expected a git repository before `#` - pass {_HOW}")
    own = git.folder_of(repository, catalog) if subdir is None else subdir
    git.write_catalog(git.revision(repository, kind, name, own), folder)


def _require_archive(place: str, settings: Mapping[str, str]) -> None:
    if git.is_remote(place):
        what = (
            "Expected an archive on this machine, got the address of one elsewhere, which is not fetched; "
            "download it first, with `curl --fail --location --remote-name`"
        )
    elif not Path(place).is_file():
        what = "Expected an archive, got the name of no file"
    elif settings.keys() - {"subdir"}:
        what = "Expected only subdir= after the `#` of an archive, got another setting"
    else:
        return
    raise click.UsageError(f"{what} - pass {_HOW}")


def _parsed(against: str) -> tuple[str, dict[str, str]]:
    """The place, and what follows `#` or `@`."""
    place, _, rest = against.partition("#")
    settings = dict(part.partition("=")[::2] for part in rest.split(",") if part)
    if at := _AT.fullmatch(place):
        place = at["place"]
        settings = {"ref": at["name"], **settings}
    if len(settings.keys() & set(_KINDS)) > 1 or settings.keys() - {*_KINDS, "subdir"}:
        raise click.UsageError(
            f"Expected one of branch=, tag= and ref=, and optionally subdir=, after `#` - pass {_HOW}"
        )
    return place, settings


def _own_folder(catalog: Path) -> str:
    """The catalogue's folder in its repository; the root where it is in none."""
    try:
        return git.folder_of(catalog, catalog)
    except GitError:
        return ""


def _live(*, compiled: bool) -> Before:
    for found in entry_points(group=LIVE):
        with TemporaryDirectory(prefix="govbus-") as folder:
            return Before.of(load_sound(found.load()(Path(folder)), compiled=compiled))
    raise ContractError(
        f"Expected an installed package with the entry point `{LIVE}`, which reads the live catalogue"
        " - install all of govbus, or pass another --against"
    )
