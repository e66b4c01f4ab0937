"""Reads an earlier state of a catalogue from its git repository. Nothing is checked out, fetched or run.

Law: the content of a repository is data. Only objects are read, without filters, hooks, attributes or
remotes; names that look like options are refused, as are links and submodules; count and size are limited.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from contracts.errors import GitError

MAX_FILES: Final = 100_000
MAX_BYTES: Final = 512 * 1024 * 1024
_BRANCHES: Final = ("refs/heads/", "refs/remotes/origin/")

_TIMEOUT_SECONDS: Final = 120
_SAFE: Final = (
    *("--no-pager", "--no-replace-objects", "--literal-pathspecs"),
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never"),
)
_WANTED: Final = ("agencies", "services")
_ROOT_FILES: Final = ("catalog.yaml", "cluster.yaml")
_NAME: Final = re.compile(r"[A-Za-z0-9_.@{}^~/+][A-Za-z0-9_.@{}^~/+-]{0,250}")


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit of a repository, and the folder of the catalogue in it.

    Attributes:
        repository: A folder of the repository.
        commit: The commit's full hash.
        folder: From the root of the repository, with `/`; empty for the root itself.
    """

    repository: Path
    commit: str
    folder: str


def merge_base(catalog: Path) -> Revision:
    """The commit where the current branch left `main`, and the catalogue's folder in it.

    Raises:
        GitError: The catalogue is not in a git repository, or that has no `main`.
    """
    top = _top(catalog)
    for prefix in _BRANCHES:
        if main := _commit(top, f"{prefix}main"):
            found = _git(top, "merge-base", "HEAD", main, may_fail=True).decode().strip()
            if found:
                return Revision(top, found, _folder(top, catalog))
    raise GitError("the current branch does not come from a branch `main`")


def revision(repository: Path, kind: str, name: str, folder: str) -> Revision:
    """The commit that a branch, a tag or another ref names.

    Args:
        repository: A folder of the repository.
        kind: `branch`, `tag` or `ref`.
        name: The name.
        folder: The catalogue's folder in it.

    Raises:
        GitError: There is no such commit.
    """
    top = _top(repository)
    if _NAME.fullmatch(name):
        prefixes = {"branch": _BRANCHES, "tag": ("refs/tags/",)}.get(kind, ("",))
        for prefix in prefixes:
            if commit := _commit(top, f"{prefix}{name}"):
                return Revision(top, commit, folder.strip("/"))
    raise GitError(f"there is no {'commit' if kind == 'ref' else kind} of that name")


def committed_at(repository: Path, commit: str) -> int:
    """When a commit was made, in seconds since the epoch.

    Args:
        repository: A folder of the repository.
        commit: Its hash, or another name of it.

    Raises:
        GitError: There is no such commit.
    """
    found = revision(repository, "ref", commit, "")
    return int(_git(found.repository, "show", "--no-patch", "--format=%ct", found.commit))


def contains(repository: Path, commit: str, other: str) -> bool | None:
    """Whether a commit is or contains another; None if the repository does not have enough of its history.

    Args:
        repository: A folder of the repository.
        commit: The commit, by its hash or another name.
        other: The commit that it should contain.

    Raises:
        GitError: There is no such commit.
    """
    found = revision(repository, "ref", commit, "")
    top, theirs = found.repository, _commit(found.repository, other) if _NAME.fullmatch(other) else ""
    if theirs and _git(top, "merge-base", found.commit, theirs, may_fail=True).decode().strip() == theirs:
        return True
    is_shallow = _git(top, "rev-parse", "--is-shallow-repository").strip() == b"true"
    return None if is_shallow else False


def write_catalog(source: Revision, target: Path) -> None:
    """Write the documents of the catalogue at a revision into an empty folder.

    Raises:
        GitError: The catalogue is not there, contains links, or is too large.
    """
    tree = f"{source.commit}:{source.folder}"
    if b"tree" not in _git(source.repository, "cat-file", "-t", tree, may_fail=True):
        raise GitError("the catalogue's folder is not in that commit")
    listed = _git(source.repository, "ls-tree", "-r", "-z", "-l", "--full-tree", tree)
    files = list(_files(listed.decode("utf-8", "surrogateescape")))
    if len(files) > MAX_FILES or sum(size for _, size, _ in files) > MAX_BYTES:
        raise GitError(f"the catalogue has more than {MAX_FILES:,} files or {MAX_BYTES:,} bytes")
    for folder in {PurePosixPath(path).parent for path, _, _ in files}:
        (target / folder).mkdir(parents=True, exist_ok=True)
    for (path, _, _), content in zip(files, _contents(source.repository, files), strict=True):
        (target / path).write_bytes(content)


def folder_of(repository: Path, catalog: Path) -> str:
    """The folder of a catalogue in a repository; the root for a catalogue outside of it.

    Raises:
        GitError: The folder is not in a git repository.
    """
    top = _top(repository)
    return _folder(top, catalog) if catalog.resolve().is_relative_to(top.resolve()) else ""


def _files(listing: str) -> Iterator[tuple[str, int, str]]:
    for row in listing.split("\0")[:-1]:
        head, _, path = row.partition("\t")
        mode, _, name, size = head.split()
        parts = PurePosixPath(path).parts
        if parts[0] not in _WANTED and path not in _ROOT_FILES:
            continue
        if mode not in ("100644", "100755") or path.startswith("/") or {"..", ".git"} & set(parts):
            raise GitError(f"a file of the catalogue is a link or a submodule - at `{path[:200]!a}`")
        if "examples" not in parts[2:]:
            yield path, int(size), name


def _contents(repository: Path, files: Sequence[tuple[str, int, str]]) -> Iterator[bytes]:
    names = "".join(f"{name}\n" for _, _, name in files).encode()
    output = _git(repository, "cat-file", "--batch", given=names)
    position = 0
    for _, size, _ in files:
        start = output.index(b"\n", position) + 1
        yield output[start : start + size]
        position = start + size + 1


def _top(folder: Path) -> Path:
    inside = folder.parent if folder.name == ".git" else folder
    found = _git(inside, "rev-parse", "--show-toplevel", may_fail=True).decode().strip()
    if not found:
        raise GitError("the folder is not in a git repository")
    return Path(found)


def _folder(top: Path, catalog: Path) -> str:
    inside = os.path.relpath(catalog.resolve(), top.resolve()).replace(os.sep, "/")
    return "" if inside == "." else inside


def _commit(top: Path, name: str) -> str:
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return _git(top, *words, may_fail=True).decode().strip()


def _git(folder: Path, *words: str, may_fail: bool = False, given: bytes = b"") -> bytes:
    program = shutil.which("git")
    if program is None:
        raise GitError("the program `git` is not installed")
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours; a name from outside follows --end-of-options
            [program, *_SAFE, *words],
            cwd=folder,
            env={**own, **quiet},
            input=given,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"git did not answer within {_TIMEOUT_SECONDS} seconds") from None
    if done.returncode and not may_fail:
        raise GitError(f"git failed: {done.stderr.decode(errors='replace').strip()[:300]}")
    return b"" if done.returncode else done.stdout
