"""What git says of the commit of a catalogue."""

from pathlib import Path

import pytest

from contracts.documents.git import committed_at
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
