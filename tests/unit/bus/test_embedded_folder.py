"""A folder belongs to one node, remembers it, and is not mistaken for another's."""

import os
import socket
import stat
from pathlib import Path

import pytest

from bus.embedded.errors import NodeError
from bus.embedded.folder import (
    NodeState,
    claim,
    free_ports,
    is_free,
    read_state,
    resume_state,
    write_state,
)
from tests.ports import held_port

OPEN = NodeState("cluster", "open", (19092,), None)
CLOSED = NodeState("cluster", "SASL", (19092,), "secret")
THREE = NodeState("cluster", "open", (19092, 29092, 39092), None)


def test_what_a_node_remembers_is_read_back_and_is_private(tmp_path: Path) -> None:
    """The file holds a password, so nobody else may read it."""
    write_state(tmp_path, CLOSED)
    assert read_state(tmp_path) == CLOSED
    assert stat.S_IMODE((tmp_path / "node.json").stat().st_mode) == 0o600


def test_an_empty_folder_is_a_new_node(tmp_path: Path) -> None:
    """Only the mark of its owner may be there."""
    os.close(claim(tmp_path))
    assert read_state(tmp_path) is None


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    """`--data .` in somebody's project does not scatter Kafka's files there."""
    (tmp_path / "letter.txt").write_text("dear", "utf-8")
    with pytest.raises(NodeError, match="it holds other files and no node - name a new folder"):
        read_state(tmp_path)


@pytest.mark.parametrize(
    ("made", "asked", "words"),
    [
        (OPEN, CLOSED, r"with SASL access and 1 node\(s\) - it was made with open access and 1 node"),
        (CLOSED, OPEN, r"with open access and 1 node\(s\) - it was made with SASL access and 1 node"),
        (OPEN, THREE, r"with open access and 3 node\(s\) - it was made with open access and 1 node"),
    ],
)
def test_a_kafka_does_not_change_its_kind(
    tmp_path: Path, made: NodeState, asked: NodeState, words: str
) -> None:
    """A closed one is not opened by forgetting an option, nor the other way, nor does it lose a node."""
    write_state(tmp_path, made)
    with pytest.raises(NodeError, match=words):
        resume_state(tmp_path, asked)


def test_a_kafka_of_the_same_kind_goes_on(tmp_path: Path) -> None:
    """With the identity, the ports and the password it had."""
    fresh = NodeState("another", "SASL", (0,), "other")
    assert resume_state(tmp_path, fresh) == fresh
    write_state(tmp_path, CLOSED)
    assert resume_state(tmp_path, fresh) == CLOSED


def test_what_another_version_wrote_is_refused(tmp_path: Path) -> None:
    """With what to do, not with a traceback."""
    (tmp_path / "node.json").write_text('{"cluster_id": "x", "port": 1}', "utf-8")
    with pytest.raises(NodeError, match="another version wrote it - name a new folder"):
        read_state(tmp_path)


def test_a_folder_in_use_is_refused_with_the_process(tmp_path: Path) -> None:
    """The message names the process to stop; when it is gone the folder is free."""
    held = claim(tmp_path)
    with pytest.raises(NodeError, match=f"the node of process {os.getpid()} runs there"):
        claim(tmp_path)
    os.close(held)
    os.close(claim(tmp_path))


def test_ports_are_free_and_different() -> None:
    """A port that somebody listens on is not free."""
    first, second = free_ports(2)
    assert first != second
    with held_port() as port:
        with socket.create_server(("127.0.0.1", port)):
            assert not is_free(port)
        assert is_free(port)
