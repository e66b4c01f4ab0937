"""What git says of the commit of a catalogue."""

from pathlib import Path

import pytest

from contracts.documents.git import committed_at, contains
from contracts.errors import GitError
from tests.unit.contracts.histories import committed, in_git


def test_a_commit_has_a_time(root: Path) -> None:
    """That of its making, in seconds; a folder without git has none."""
    with pytest.raises(GitError):
        committed_at(root, "HEAD")
    commit = committed(root)
    expected = int(in_git(root, "log", "-1", "--format=%ct"))
    assert (committed_at(root, "HEAD"), committed_at(root, commit)) == (expected, expected)
    with pytest.raises(GitError):
        committed_at(root, "absent")


def test_a_commit_contains_what_it_comes_from(root: Path, tmp_path: Path) -> None:
    """Not another branch, nor a commit that nobody has fetched; half of a history does not tell."""
    first = committed(root)
    in_git(root, "branch", "other")
    second = committed(root)
    in_git(root, "switch", "--quiet", "other")
    (root / "note.txt").write_text("elsewhere")
    other = committed(root)
    in_git(root, "switch", "--quiet", "-")
    told = [contains(root, "HEAD", commit) for commit in (first, second, other, "0" * 40, "--all", "")]
    assert told == [True, True, False, False, False, False]
    in_git(tmp_path, "clone", "--quiet", "--depth=1", root.as_uri(), "shallow")
    told = [contains(tmp_path / "shallow", "HEAD", commit) for commit in (first, second, other)]
    assert told == [None, True, None]
    with pytest.raises(GitError):
        contains(tmp_path, "HEAD", first)
