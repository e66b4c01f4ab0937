"""The earlier catalogue that `--against` names: trunks, repositories elsewhere, and archives of strangers."""

from __future__ import annotations

import io
import os
import re
import shlex
import socket
import ssl
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bus.embedded.tls import Authority
from contracts.cli import contracts as command
from contracts.documents import archive, git
from contracts.documents.archive import write_from_archive
from contracts.errors import SnapshotError
from tests.unit.contracts.catalogs import AGENCY, CONTRACT, edit, sound
from tests.unit.contracts.histories import committed, in_git


def breaking(root: Path, against: str | None = None) -> Result:
    """What `govbus contracts breaking` says."""
    words = ["breaking", "--catalog", str(root), *(["--against", against] if against else [])]
    return CliRunner().invoke(command, words)


def found(root: Path, against: str | None = None) -> list[str]:
    """The codes of its findings; the command must have been able to compare."""
    result = breaking(root, against)
    assert result.exit_code in (0, 100), result.output
    return [line.split(" ")[1] for line in result.stdout.splitlines()]


def refused(root: Path, against: str | None = None) -> str:
    """Why it compares nothing, in one line; wrong usage."""
    result = breaking(root, against)
    assert (result.exit_code, result.stdout) == (2, "")
    return " ".join(result.stderr.split())


def obey(clone: Path, said: str) -> None:
    """Run the commands that a refusal names, in the clone that it is about."""
    commands = re.findall(r"`git ([^`]+)`", said)
    assert commands
    for words in commands:
        in_git(clone, *shlex.split(words))


def grow(root: Path) -> None:
    """A change that shows: another number of partitions."""
    edit(root, CONTRACT, lambda contract: contract.update(partitions=7))


@pytest.mark.parametrize("trunk", ["main", "master", "trunk"])
def test_the_trunk_is_found_by_its_usual_names(root: Path, trunk: str) -> None:
    """Without `--against` the commit where the branch left it."""
    in_git(root, "init", "--quiet", f"--initial-branch={trunk}")
    committed(root)
    committed(root, "change")
    grow(root)
    assert found(root) == ["partitions-kept"]


def test_the_default_branch_of_origin_is_the_trunk(root: Path, tmp_path: Path) -> None:
    """Whatever its name: a clone knows it as `origin/HEAD`."""
    in_git(root, "init", "--quiet", "--initial-branch=develop")
    committed(root)
    in_git(tmp_path, "clone", "--quiet", root.as_uri(), "clone")
    in_git(tmp_path / "clone", "switch", "--quiet", "--detach")
    in_git(tmp_path / "clone", "branch", "--quiet", "--delete", "develop")
    grow(tmp_path / "clone")
    assert found(tmp_path / "clone") == ["partitions-kept"]


def test_a_shallow_clone_gets_the_remedy(root: Path, tmp_path: Path) -> None:
    """As continuous integration makes it; the command that it names makes the clone whole."""
    committed(root)
    committed(root, "change")
    grow(root)
    committed(root)
    in_git(root, "switch", "--quiet", "main")
    in_git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=change", root.as_uri(), "clone")
    said = refused(tmp_path / "clone")
    assert "this clone is shallow" in said
    assert "`fetch-depth: 0` (GitHub)" in said
    obey(tmp_path / "clone", said)
    assert found(tmp_path / "clone") == ["partitions-kept"]


@pytest.mark.parametrize("options", [("--depth=1",), ("--single-branch",)])
@pytest.mark.parametrize("name", ["branch=main", "tag=v1", "ref=v1"])
def test_a_clone_without_what_is_named_gets_the_remedy(
    root: Path, tmp_path: Path, options: tuple[str, ...], name: str
) -> None:
    """A branch, tag or commit that was not fetched; the command that it names fetches it."""
    committed(root)
    in_git(root, "tag", "v1")
    committed(root, "change")
    grow(root)
    committed(root)
    in_git(tmp_path, "clone", "--quiet", "--no-tags", *options, "--branch=change", root.as_uri(), "clone")
    against = f"{tmp_path}/clone/.git#{name}"
    obey(tmp_path / "clone", refused(tmp_path / "clone", against))
    assert found(tmp_path / "clone", against) == ["partitions-kept"]


@pytest.mark.parametrize("trunk", ["main", "develop"])
def test_a_clone_of_one_branch_gets_the_remedy(root: Path, tmp_path: Path, trunk: str) -> None:
    """It has no trunk, and is not shallow."""
    in_git(root, "init", "--quiet", f"--initial-branch={trunk}")
    committed(root)
    committed(root, "change")
    grow(root)
    committed(root)
    in_git(tmp_path, "clone", "--quiet", "--single-branch", "--branch=change", root.as_uri(), "clone")
    in_git(tmp_path / "clone", "remote", "set-head", "origin", "--delete")
    in_git(root, "switch", "--quiet", trunk)
    obey(tmp_path / "clone", refused(tmp_path / "clone"))
    assert found(tmp_path / "clone") == ["partitions-kept"]


def test_a_trunk_of_another_name_without_an_origin_is_to_be_named(root: Path) -> None:
    """Nothing says which branch is the trunk."""
    in_git(root, "init", "--quiet", "--initial-branch=develop")
    committed(root)
    committed(root, "change")
    grow(root)
    said = refused(root)
    assert "no remote `origin`" in said
    assert "--against .git#branch=NAME" in said
    assert found(root, f"{root}/.git#branch=develop") == ["partitions-kept"]


@pytest.mark.parametrize("left_out", ["blob:none", "tree:0"])
def test_a_partial_clone_gets_the_remedy(root: Path, tmp_path: Path, left_out: str) -> None:
    """It lacks the files of other commits, and comparing fetches nothing."""
    committed(root)
    committed(root, "change")
    grow(root)
    committed(root)
    in_git(root, "config", "uploadpack.allowFilter", "true")
    in_git(root, "config", "uploadpack.allowAnySHA1InWant", "true")
    in_git(tmp_path, "clone", "--quiet", f"--filter={left_out}", root.as_uri(), "clone")
    said = refused(tmp_path / "clone")
    assert "this clone is partial" in said
    obey(tmp_path / "clone", said)
    assert found(tmp_path / "clone") == ["partitions-kept"]


def test_a_catalogue_that_has_moved_gets_the_remedy(tmp_path: Path) -> None:
    """Its folder in the earlier commit is another."""
    sound(tmp_path / "before")
    committed(tmp_path)
    committed(tmp_path, "change")
    (tmp_path / "before").rename(tmp_path / "after")
    grow(tmp_path / "after")
    said = refused(tmp_path / "after")
    assert "name the path that it has there with `subdir=`" in said
    assert found(tmp_path / "after", f"{tmp_path}/.git#branch=main,subdir=before") == ["partitions-kept"]


def test_a_repository_without_a_commit_gets_the_remedy(root: Path) -> None:
    """There is nothing to compare with yet."""
    in_git(root, "init", "--quiet", "--initial-branch=main")
    assert "commit the catalogue first" in refused(root)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository: the sound catalogue under `contracts/`, a tag, a branch, and a change."""
    folder = tmp_path_factory.mktemp("served")
    sound(folder / "work" / "contracts")
    committed(folder / "work")
    in_git(folder / "work", "tag", "v1")
    in_git(folder / "work", "branch", "release/one")
    grow(folder / "work" / "contracts")
    committed(folder / "work")
    in_git(folder, "clone", "--quiet", "--bare", "work", "served.git")
    in_git(folder / "served.git", "update-server-info")
    (folder / "served.git" / "git-daemon-export-ok").touch()
    return folder / "served.git"


@pytest.fixture(scope="module")
def daemon(served: Path) -> Iterator[str]:
    """Its address at a `git daemon` on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        "git",
        "daemon",
        "--verbose",
        "--listen=127.0.0.1",
        f"--port={port}",
        f"--base-path={served.parent}",
    ]
    with subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stderr is not None
        while b"Ready to rumble" not in process.stderr.readline():
            assert process.poll() is None
        yield f"git://127.0.0.1:{port}/served.git"
        process.terminate()


@pytest.fixture(scope="module")
def website(served: Path) -> Iterator[str]:
    """Its address at a web server that knows nothing of git."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served.parent)))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/served.git"
    server.shutdown()
    server.server_close()
    thread.join()


class Backend(BaseHTTPRequestHandler):
    """git's own server, `git http-backend`, as a forge runs it."""

    def __init__(self, *words: Any, folder: Path) -> None:
        self.folder = folder
        super().__init__(*words)

    def do_GET(self) -> None:
        """Run it as CGI (RFC 3875) for one request."""
        path, _, query = self.path.partition("?")
        length = self.headers["Content-Length"] or "0"
        variables = {
            "GIT_PROJECT_ROOT": str(self.folder), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_LENGTH": length,
            "CONTENT_TYPE": self.headers["Content-Type"] or "",
            "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
            "GIT_PROTOCOL": self.headers["Git-Protocol"] or "",
        }  # fmt: skip
        given = self.rfile.read(int(length))
        done = subprocess.run(
            ["git", "http-backend"], input=given, env=os.environ | variables, capture_output=True, check=True
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(lines.pop("Status", "200").split()[0]))
        for name, text in lines.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that the server calls

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture
def forge(served: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Its address at a forge over https, and the authority that vouches for it."""
    authority = Authority.open(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.for_node())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Backend, folder=served.parent))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}/served.git", authority.file
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("which", ["branch=release/one", "tag=v1", "ref=release/one"])
def test_a_repository_over_https_can_be_named(
    root: Path, forge: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """Of a forge that git trusts, whose settings are those of the user; no other."""
    address, authority = forge
    grow(root)
    assert "certificate" in refused(root, f"{address}#{which},subdir=contracts")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(authority))
    assert found(root, f"{address}#{which},subdir=contracts") == ["partitions-kept"]
    assert "not found" in refused(root, f"{address.replace('served', 'absent')}#{which}")


@pytest.fixture
def over_ssh(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its address over ssh; in place of ssh a program that runs on this machine what it is given."""
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\nexec sh -c "$1"\n')
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    return f"git@forge.example:{served.relative_to('/')}"


@pytest.fixture(params=["file", "bare folder", "daemon", "website"])
def address(request: pytest.FixtureRequest, served: Path) -> str:
    """The repository's address of each kind."""
    if request.param == "file":
        return served.as_uri()
    return str(served) if request.param == "bare folder" else str(request.getfixturevalue(request.param))


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("#branch=release/one,subdir=contracts", ["partitions-kept"]),
        ("#tag=v1,subdir=contracts", ["partitions-kept"]),
        ("@v1#subdir=contracts", ["partitions-kept"]),
        ("#subdir=contracts", []),
    ],
)
def test_a_repository_elsewhere_can_be_named(
    root: Path, address: str, which: str, expected: list[str]
) -> None:
    """By URL, as buf writes it; only that commit is fetched, and nothing stays."""
    grow(root)
    assert found(root, f"{address}{which}") == expected


def test_a_repository_over_ssh_can_be_named(root: Path, served: Path, over_ssh: str) -> None:
    """As `user@host:path`, and as a URL; a commit by its hash, whole and short."""
    grow(root)
    path = served.relative_to("/")
    commit = in_git(served, "rev-parse", "v1")
    for address in (over_ssh.replace(":", ":/"), f"ssh://git@forge.example/{path}"):
        for name in (commit, commit[:12], "v1", "release/one"):
            assert found(root, f"{address}#ref={name},subdir=contracts") == ["partitions-kept"], name


def test_the_folder_of_the_catalogue_is_the_same_elsewhere(served: Path, tmp_path: Path) -> None:
    """`subdir` is for another one."""
    in_git(tmp_path, "clone", "--quiet", str(served), "clone")
    assert found(tmp_path / "clone" / "contracts", f"{served.as_uri()}#tag=v1") == ["partitions-kept"]


@pytest.mark.parametrize(
    ("against", "word"),
    [
        ("{served}#branch=absent", "git failed: fatal: couldn't find remote ref"),
        ("{served}#ref=absent", "there is no commit of that name"),
        ("{served}#branch=--upload-pack=touch", "there is no branch of that name"),
        ("{served}#tag=v1,branch=main", "Expected one of branch=, tag= and ref="),
        ("{served}#tag=v1,subdir=../..", "the catalogue's folder is not in that commit"),
        ("file:///nowhere/at/all.git", "does not appear to be a git repository"),
        ("ext::sh -c touch% x#ref=main", "Expected a git repository before `#`"),
        ("ssh://-oProxyCommand=touch/x.git", "Expected a git repository before `#`"),
        ("http://user:hunter2@127.0.0.1:9/a.git?token=hunter2", "git failed"),
        (
            "https://user:hunter2@forge.example/a.tar.gz",
            "got the address of one elsewhere, which is not fetched",
        ),
        ("file:///nowhere/a.zip#subdir=x", "download it first"),
        ("nowhere.tar.gz", "got the name of no file"),
        ("{served}/../a.tar#branch=main", "got the address of one elsewhere"),
    ],
)
def test_an_address_that_leads_nowhere_is_wrong_usage(
    root: Path, served: Path, monkeypatch: pytest.MonkeyPatch, against: str, word: str
) -> None:
    """What is wrong and what can be passed, without a password; nothing is run."""
    monkeypatch.chdir(served)
    said = refused(root, against.format(served=served.as_uri()))
    assert word in said
    assert "pass --against FOLDER" in said
    assert "hunter2" not in said
    assert not (served / "x").exists()


def test_a_repository_that_is_too_large_is_left(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size is watched while it comes; git is ended with all that it started."""
    program = tmp_path / "slow"
    program.write_text('#!/bin/sh\ncat /dev/zero | head -c 200000 > "$(pwd)/large"\nsleep 600\n')
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    monkeypatch.setattr(git, "MAX_BYTES", 100_000)
    monkeypatch.setattr(git, "_LOOK_SECONDS", 0.05)
    assert "more than 100,000 bytes" in refused(root, "git@forge.example:a.git")


def packed(file: Path, root: Path, prefix: str) -> Path:
    """An archive of a catalogue, everything in one folder."""
    names = [path for path in sorted(root.rglob("*")) if path.is_file()]
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
            for path in names:
                made.write(path, f"{prefix}{path.relative_to(root)}")
    else:
        with tarfile.open(file, "w" if file.suffix == ".tar" else "w:gz") as made_tar:
            for path in names:
                made_tar.add(path, f"{prefix}{path.relative_to(root)}")
    return file


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz"])
@pytest.mark.parametrize(
    ("prefix", "which"),
    [("", ""), ("./", ""), ("repo-1.0/", ""), ("repo/a/b/", "#subdir=a/b"), ("repo/a/", "#subdir=repo/a/")],
)
def test_an_archive_can_be_named(root: Path, tmp_path: Path, suffix: str, prefix: str, which: str) -> None:
    """Also as forges make them, with everything in one folder."""
    file = packed(tmp_path / f"earlier{suffix}", root, prefix)
    grow(root)
    assert found(root, f"{file}{which}") == ["partitions-kept"]


def test_examples_and_other_files_stay_in_the_archive(root: Path, tmp_path: Path) -> None:
    """Only the documents are written."""
    file = packed(tmp_path / "a.zip", root, "")
    with zipfile.ZipFile(file, "a") as made:
        made.writestr("program.py", "1")
    target = tmp_path / "target"
    target.mkdir()
    write_from_archive(file, "", target)
    names = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert AGENCY in names
    assert not [name for name in names if "examples" in name or name == "program.py"]


def tar_of(file: Path, member: tarfile.TarInfo, content: bytes = b"") -> None:
    """A packed archive of one member."""
    member.size = len(content)
    with tarfile.open(file, "w:gz") as made:
        made.addfile(member, io.BytesIO(content))


def link(kind: bytes) -> Callable[[Path], None]:
    """An archive whose contract is a link to a file of this machine."""

    def make(file: Path) -> None:
        member = tarfile.TarInfo("agencies/tax/agency.yaml")
        member.type, member.linkname = kind, "/etc/passwd"
        tar_of(file, member)

    return make


def named(name: str) -> Callable[[Path], None]:
    """An archive of one file of a name."""
    return lambda file: tar_of(file, tarfile.TarInfo(name), b"x")


def zip_link(file: Path) -> None:
    """A link, as Unix writes it into a zip."""
    info = zipfile.ZipInfo("agencies/tax/agency.yaml")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(info, "/etc/passwd")


def zip_of(*names: str, content: bytes = b"x") -> Callable[[Path], None]:
    """A zip of files with these names."""

    def make(file: Path) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
            for name in names:
                info = zipfile.ZipInfo("x")
                info.filename = name
                made.writestr(info, content, zipfile.ZIP_DEFLATED)

    return make


def long_header(file: Path) -> None:
    """A header that says of itself that it has many megabytes."""
    member = tarfile.TarInfo("a")
    member.pax_headers = {"comment": "x" * 3_000_000}
    with tarfile.open(file, "w:gz", format=tarfile.PAX_FORMAT) as made:
        made.addfile(member)


HOSTILE = {
    "traversal.tar.gz": (named("agencies/../../evil"), "a path that leads out of it"),
    "absolute.tar.gz": (named("/etc/evil"), "a path that leads out of it"),
    "backslash.zip": (zip_of("agencies\\..\\..\\evil"), "a path that leads out of it"),
    "traversal.zip": (zip_of("../evil"), "a path that leads out of it"),
    "dot-git.zip": (zip_of("agencies/.git/config"), "a path that leads elsewhere"),
    "symlink.tar.gz": (link(tarfile.SYMTYPE), "is a link"),
    "hardlink.tar.gz": (link(tarfile.LNKTYPE), "is a link"),
    "device.tar.gz": (link(tarfile.CHRTYPE), "is a link"),
    "symlink.zip": (zip_link, "is a link"),
    "twice.zip": (zip_of("agencies/a/b.yaml", "agencies/A/b.yaml"), "a document twice"),
    "file-as-folder.zip": (zip_of("agencies/a", "agencies/a/b"), "cannot be read"),
    "bomb.zip": (zip_of("agencies/a/b.yaml", content=bytes(3_000_000)), "more than"),
    "bomb.tar.gz": (lambda file: tar_of(file, tarfile.TarInfo("other"), bytes(3_000_000)), "more than"),
    "header.tar.gz": (long_header, "a header of more than a megabyte"),
    "many.zip": (zip_of(*(f"a/{number}" for number in range(60))), "more than"),
    "empty.zip": (zip_of("readme"), "no folder `agencies/`"),
    "not-a-zip.zip": (lambda file: file.write_bytes(b"PK\x05\x06 no"), "cannot be read"),
    "not-a-tar.tar.gz": (lambda file: file.write_bytes(b"\x1f\x8bxxxxxxxxxxxxxxxx"), "cannot be read"),
    "nothing.tar": (lambda file: file.write_bytes(b""), "cannot be read"),
    "list.zip": (
        lambda file: file.write_bytes(b"PK\x05\x06" + bytes(8) + b"\xff\xff\xff\x7f" + bytes(6)),
        "more than",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_that_means_harm_is_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Paths, links, twins and bombs; nothing is written beside the folder."""
    make, word = HOSTILE[name]
    file = tmp_path / "in" / name
    file.parent.mkdir()
    make(file)
    monkeypatch.setattr(archive, "MAX_BYTES", 2_000_000)
    monkeypatch.setattr(archive, "MAX_FILES", 50)
    target = tmp_path / "out" / "target"
    target.mkdir(parents=True)
    with pytest.raises(SnapshotError) as caught:
        write_from_archive(file, "", target)
    assert word in str(caught.value)
    assert [path.name for path in target.parent.iterdir()] == ["target"]
    assert not (tmp_path / "evil").exists()
    assert word in refused(root, str(file))


@pytest.mark.parametrize("name", ["cut.tar.gz", "cut.tar"])
def test_an_archive_cut_anywhere_is_refused(root: Path, tmp_path: Path, name: str) -> None:
    """A download that broke off, also between two files, or in the check sum. The end of a tar is padding."""
    whole = packed(tmp_path / f"whole-{name}", root, "").read_bytes()
    end = len(whole) if name.endswith("gz") else len(whole.rstrip(b"\0"))
    blocks = range(0, end, 512) if end < len(whole) else ()
    for size in {*range(0, end, max(1, end // 25)), *range(end - 64, end), *blocks}:
        file = tmp_path / name
        file.write_bytes(whole[:size])
        target = tmp_path / f"out{size}"
        target.mkdir()
        with pytest.raises(SnapshotError):
            write_from_archive(file, "", target)
