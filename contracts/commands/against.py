"""`--against`: the earlier catalogue to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from contracts.documents import git
from contracts.errors import ContractError, GitError
from contracts.lint.breaking import Before
from contracts.lint.soundness import load_sound

LIVE: Final = "govbus.contracts.live"
"""Entry-point group of a function that writes the live catalogue into an empty folder and returns it."""

_HOW: Final = "--against FOLDER, --against .git#branch=NAME (or tag=, ref=, and subdir=), or --against live"
_KINDS: Final = ("branch", "tag", "ref")


def against_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--against`."""
    return click.option(
        "--against",
        metavar="FOLDER|.git#branch=NAME|live",
        help="The earlier catalogue: a folder; a branch, tag or ref of a git repository, with `subdir=` if "
        "it has another path; or `live`, the registry of the cluster. By default the commit at which the "
        "current branch left `main`.",
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
    if against is not None and "#" not in against and Path(against).name != ".git":
        return _folder(against, compiled=compiled)
    with _revision(against, catalog) as folder:
        return Before.of(load_sound(folder, compiled=compiled))


def _folder(against: str, *, compiled: bool) -> Before:
    folder = Path(against)
    if not (folder / "agencies").is_dir():
        raise click.UsageError(f"Expected a folder with `agencies/` - pass {_HOW}")
    return Before.of(load_sound(folder, compiled=compiled))


@contextmanager
def _revision(against: str | None, catalog: Path) -> Iterator[Path]:
    with TemporaryDirectory(prefix="govbus-") as folder:
        try:
            source = git.merge_base(catalog) if against is None else _named(against, catalog)
            git.write_catalog(source, Path(folder))
        except GitError as error:
            what = f"Cannot compare: {error}"
            raise click.UsageError(f"{what} - pass {_HOW}") from None
        yield Path(folder)


def _named(against: str, catalog: Path) -> git.Revision:
    place, _, rest = against.partition("#")
    settings = dict(part.partition("=")[::2] for part in rest.split(",") if part)
    kinds = [kind for kind in _KINDS if kind in settings]
    if len(kinds) > 1 or settings.keys() - {*_KINDS, "subdir"}:
        raise click.UsageError(
            f"Expected one of branch=, tag= and ref=, and optionally subdir=, after `#` - pass {_HOW}"
        )
    repository = Path(place)
    if not repository.is_dir():
        raise click.UsageError(f"Expected a git repository before `#` - pass {_HOW}")
    kind = kinds[0] if kinds else "ref"
    folder = settings["subdir"] if "subdir" in settings else git.folder_of(repository, catalog)
    return git.revision(repository, kind, settings.get(kind, "HEAD"), folder)


def _live(*, compiled: bool) -> Before:
    for found in entry_points(group=LIVE):
        with TemporaryDirectory(prefix="govbus-") as folder:
            return Before.of(load_sound(found.load()(Path(folder)), compiled=compiled))
    raise ContractError(
        f"Expected an installed package with the entry point `{LIVE}`, which reads the live catalogue"
        " - install all of govbus, or pass another --against"
    )
