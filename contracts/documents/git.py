"""Reads an earlier state of a catalogue from a git repository. Nothing is checked out or run.

Law: the content of a repository is data. Only objects are read, without filters, hooks or attributes; names
that look like options are refused, as are links and submodules; count and size are limited. Nothing is
fetched but what `fetched` is asked for, into a repository of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from time import monotonic
from typing import Final

from contracts.addresses import with_shown_addresses
from contracts.documents.snapshot import MAX_BYTES, MAX_FILES, too_large, wanted
from contracts.errors import GitError

TRUNKS: Final = ("main", "master", "trunk")
"""The names of a trunk, besides that which the remote `origin` calls its default."""

_BRANCHES: Final = ("refs/heads/", "refs/remotes/origin/")
_FETCHED: Final = "refs/against"
_PREFIXES: Final = {"branch": _BRANCHES, "tag": ("refs/tags/",), "ref": ("", *_BRANCHES)}

_TIMEOUT_SECONDS: Final = 120
_LOOK_SECONDS: Final = 0.5
_SAFE: Final = (
    *("--no-pager", "--no-replace-objects", "--literal-pathspecs"),
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never"),
)
_PROTOCOLS: Final = ("file", "git", "http", "https", "ssh")
_REMOTE: Final = re.compile(
    rf"(?:{'|'.join(_PROTOCOLS)})://[^\s-]\S*|[A-Za-z0-9._-]+@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s-]\S*"
)
_OF_A_REPOSITORY: Final = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE"),
)
_ALL: Final = "origin '+refs/heads/*:refs/remotes/origin/*'"
"""What `git fetch` is asked for, since a clone may know one branch alone."""
_LACKING: Final = (b"promisor remote", b"lazy fetching disabled")
"""What git says of an object that a partial clone has left out."""
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
    """The commit where the current branch left the trunk, and the catalogue's folder in it.

    The trunk is `main`, the default branch of `origin`, `master` or `trunk`: the first of them that is there.

    Raises:
        GitError: The catalogue is not in a git repository, has no trunk, or too little of its history; the
            message says what to do.
    """
    top = _top(catalog)
    if not _commit(top, "HEAD"):
        raise GitError("the repository has no commit yet - commit the catalogue first")
    trunk = next(_trunks(top), None)
    if trunk is not None:
        found = _git(top, "merge-base", "HEAD", trunk, may_fail=True).decode().strip()
        if found:
            return Revision(top, found, _folder(top, catalog))
    if _is_shallow(top):
        raise GitError(
            "this clone is shallow: it lacks the commit where the branch left the trunk - run `git fetch "
            f"--unshallow {_ALL}`, or set `fetch-depth: 0` (GitHub) or `GIT_DEPTH: 0` (GitLab)"
        )
    if trunk is None:
        names = f"there is no branch {', '.join(f'`{name}`' for name in TRUNKS)}"
        if not _has_origin(top):
            raise GitError(f"{names}, and no remote `origin` to ask for its default")
        raise GitError(
            f"{names}, and `origin` names no default - run `git fetch {_ALL}`, then `git remote set-head "
            "origin --auto`"
        )
    raise GitError("the current branch and the trunk have no commit in common")


def _trunks(top: Path) -> Iterator[str]:
    head = _git(top, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD", may_fail=True).decode().strip()
    default = head.removeprefix("refs/remotes/origin/")
    for name in dict.fromkeys((TRUNKS[0], *([default] if default else ()), *TRUNKS[1:])):
        for prefix in _BRANCHES:
            if found := _commit(top, f"{prefix}{name}"):
                yield found


def is_remote(address: str) -> bool:
    """Whether a text is the address of a repository elsewhere: a URL, or `user@host:path`."""
    return _REMOTE.fullmatch(address) is not None


def fetched(address: str, kind: str, name: str, mirror: Path) -> Revision:
    """Fetch one commit of a repository elsewhere, without its history.

    Args:
        address: A URL of `https`, `ssh`, `git`, `http` or `file`, or `user@host:path`.
        kind: `branch`, `tag` or `ref`.
        name: The name; `HEAD` for the default branch.
        mirror: An empty folder for a repository of its own.

    Raises:
        GitError: The repository cannot be reached, has no such commit, or is too large.
    """
    if not is_remote(address) or not _NAME.fullmatch(name):
        raise GitError(f"there is no {_called(kind)} of that name")
    _git(mirror, "init", "--quiet", "--bare", ".")
    asked = {"branch": f"refs/heads/{name}", "tag": f"refs/tags/{name}"}.get(kind, name)
    if _fetch_one(mirror, address, asked, must=kind != "ref"):
        return Revision(mirror, _commit(mirror, _FETCHED), "")
    # A server need not give a commit by its hash, and a short hash is known only where its commit is.
    _fetch(mirror, address, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    commits = (_commit(mirror, f"{prefix}{name}") for prefix in _PREFIXES[kind])
    if not (found := next(filter(None, commits), "")):
        raise GitError(f"there is no {_called(kind)} of that name")
    return Revision(mirror, found, "")


def _fetch_one(mirror: Path, address: str, asked: str, *, must: bool) -> bool:
    """Whether the server gave what is asked, alone or, where it cannot do that, with its history."""
    for options in (("--depth=1",), ()):
        try:
            _fetch(mirror, address, f"+{asked}:{_FETCHED}", options=options)
        except GitError as error:
            if "shallow" not in str(error):
                if must:
                    raise
                return False
        else:
            return True
    return False


def has_catalog(found: Revision, folder: str) -> bool:
    """Whether a commit has `agencies/` in a folder."""
    tree = f"{found.commit}:{folder}/agencies" if folder else f"{found.commit}:agencies"
    return b"tree" in _git(found.repository, "cat-file", "-t", tree, may_fail=True)


def _fetch(mirror: Path, address: str, *refs: str, options: Sequence[str] = ()) -> None:
    quiet = (
        "--quiet",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-auto-maintenance",
        "--no-write-fetch-head",
    )
    _git(mirror, "fetch", *quiet, *options, "--", address, *refs, growing=mirror)


def _called(kind: str) -> str:
    return "commit" if kind == "ref" else kind


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
        for prefix in _PREFIXES[kind]:
            if commit := _commit(top, f"{prefix}{name}"):
                return Revision(top, commit, folder.strip("/"))
    what = f"there is no {_called(kind)} of that name"
    if _is_shallow(top):
        raise GitError(f"{what}, and this clone is shallow - run `git fetch --unshallow --tags {_ALL}`")
    raise GitError(f"{what} - run `git fetch --tags {_ALL}`" if _has_origin(top) else what)


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
    return None if _is_shallow(top) else False


def write_catalog(source: Revision, target: Path) -> None:
    """Write the documents of the catalogue at a revision into an empty folder.

    Raises:
        SnapshotError: The catalogue is not there, contains links, or is too large.
    """
    tree = f"{source.commit}:{source.folder}"
    if b"tree" not in _git(source.repository, "cat-file", "-t", tree, may_fail=True):
        raise GitError(
            "the catalogue's folder is not in that commit - name the path that it has there with `subdir=`"
        )
    listed = _git(source.repository, "ls-tree", "-r", "-z", "-l", "--full-tree", tree)
    files = list(_files(listed.decode("utf-8", "surrogateescape")))
    if len(files) > MAX_FILES or sum(size for _, size, _ in files) > MAX_BYTES:
        raise too_large()
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
        if wanted(path, is_file=mode in ("100644", "100755")):
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
    if not found and _git(inside, "rev-parse", "--is-bare-repository", may_fail=True).strip() == b"true":
        found = _git(inside, "rev-parse", "--absolute-git-dir").decode().strip()
    if not found:
        raise GitError("the folder is not in a git repository")
    return Path(found)


def _is_shallow(top: Path) -> bool:
    return _git(top, "rev-parse", "--is-shallow-repository").strip() == b"true"


def _has_origin(top: Path) -> bool:
    return bool(_git(top, "config", "--get", "remote.origin.url", may_fail=True))


def _folder(top: Path, catalog: Path) -> str:
    inside = os.path.relpath(catalog.resolve(), top.resolve()).replace(os.sep, "/")
    return "" if inside == "." else inside


def _commit(top: Path, name: str) -> str:
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return _git(top, *words, may_fail=True).decode().strip()


def _git(
    folder: Path, *words: str, may_fail: bool = False, given: bytes = b"", growing: Path | None = None
) -> bytes:
    """The output of git; `growing` is the folder that a fetch fills."""
    program = shutil.which("git")
    if program is None:
        raise GitError("the program `git` is not installed")
    allowed = [f"protocol.{name}.allow=always" for name in _PROTOCOLS] if growing else []
    started = [program, *_SAFE, *(word for setting in allowed for word in ("-c", setting)), *words]
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    with TemporaryFile() as output, TemporaryFile() as errors, TemporaryFile() as content:
        content.write(given)
        content.seek(0)
        with subprocess.Popen(  # noqa: S603 - the words are ours; a name from outside follows --end-of-options
            started, cwd=folder, env=_environment(quiet, remote=growing is not None),
            stdin=content, stdout=output, stderr=errors, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                _await(process, growing)
            except BaseException:
                _kill(process)
                raise
        output.seek(0)
        errors.seek(0)
        said = errors.read() if process.returncode else b""
        if any(told in said for told in _LACKING):
            raise GitError(
                "this clone is partial, and lacks files of that commit - run `git fetch --refetch "
                f"--no-filter {_ALL}`"
            )
        if process.returncode and not may_fail:
            text = with_shown_addresses(said.decode(errors="replace").strip())
            raise GitError(f"git failed: {text[:300]}")
        return b"" if process.returncode else output.read()


def _environment(quiet: Mapping[str, str], *, remote: bool) -> dict[str, str]:
    """The variables of git: those that say how to reach a repository only where one is elsewhere."""
    if not remote:
        return {**{name: value for name, value in os.environ.items() if not name.startswith("GIT_")}, **quiet}
    own = {name: value for name, value in os.environ.items() if name not in _OF_A_REPOSITORY}
    return {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes", **own, **quiet}


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End git, and the programs that it started."""
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _size_of(folder: Path) -> int:
    size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # git renames what is complete
                size += (Path(path) / name).stat().st_size
    return size


def _await(process: subprocess.Popen[bytes], growing: Path | None) -> None:
    """Wait for git to end, in time and within the size."""
    ends = monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            process.wait(min(_LOOK_SECONDS, max(ends - monotonic(), 0.0)) if growing else _TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            if growing is None or monotonic() >= ends:
                raise GitError(f"git did not answer within {_TIMEOUT_SECONDS} seconds") from None
            if _size_of(growing) > MAX_BYTES:
                raise GitError(f"the repository has more than {MAX_BYTES:,} bytes") from None
        else:
            return
