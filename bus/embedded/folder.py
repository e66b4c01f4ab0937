"""The folder of a Kafka: its state between two starts, and the claim of one process."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bus.embedded.config import HOST
from bus.embedded.errors import NodeError

STATE_NAME = "node.json"
OWNER_NAME = "owner.pid"
PORTS = range(15_000, 32_000)


@dataclass(frozen=True, slots=True)
class NodeState:
    """What stays the same when a Kafka restarts.

    Attributes:
        cluster_id: Kafka's name of the cluster.
        access: What clients need.
        ports: The last ports of each node.
        admin_password: The password of the super user; None for a Kafka without access control.
    """

    cluster_id: str
    access: str
    ports: tuple[int, ...]
    admin_password: str | None

    @property
    def kind(self) -> str:
        """What cannot change after the first start, as text."""
        return f"{self.access} access and {len(self.ports)} node(s)"


def read_state(folder: Path) -> NodeState | None:
    """Return the state in a folder, or None for a new Kafka.

    Raises:
        NodeError: The folder holds something else.
    """
    path = folder / STATE_NAME
    if not path.exists():
        if any(entry.name != OWNER_NAME for entry in folder.iterdir()):
            msg = f"cannot keep events in {folder} - it holds other files and no node - name a new folder"
            raise NodeError(msg)
        return None
    try:
        raw = json.loads(path.read_text("utf-8"))
        return NodeState(**{**raw, "ports": tuple(raw["ports"])})
    except (ValueError, TypeError, KeyError) as error:
        msg = f"cannot read {path} ({type(error).__name__}) - another version wrote it - name a new folder"
        raise NodeError(msg) from error


def resume_state(folder: Path, fresh: NodeState) -> NodeState:
    """Return the state in a folder, or `fresh` if it is new.

    Raises:
        NodeError: The folder holds something else, or a Kafka of another kind.
    """
    state = read_state(folder) or fresh
    if state.kind != fresh.kind:
        msg = f"cannot start {folder} with {fresh.kind} - it was made with {state.kind} - name another folder"
        raise NodeError(msg)
    return state


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, in one step."""
    staged = path.with_name(path.name + ".new")
    staged.unlink(missing_ok=True)
    with os.fdopen(
        os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    staged.replace(path)


def write_state(folder: Path, state: NodeState) -> None:
    """Write the state of a folder."""
    write_private(folder / STATE_NAME, json.dumps(asdict(state), indent=1) + "\n")


def claim(folder: Path) -> int:
    """Claim a folder for this process and return the descriptor that holds the claim.

    The claim lasts as long as a process has the descriptor open; a node that outlives its owner keeps it.

    Raises:
        NodeError: A node runs there; the message names its process.
    """
    descriptor = os.open(folder / OWNER_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(descriptor, 32).decode().strip()
        os.close(descriptor)
        msg = f"{folder} is in use - the node of process {owner} runs there - stop it, or name another folder"
        raise NodeError(msg) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


@contextmanager
def _bound(port: int) -> Iterator[socket.socket]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Kafka does
        probe.bind((HOST, port))
        yield probe


def is_free(port: int) -> bool:
    """Return whether a port of 127.0.0.1 is free."""
    try:
        with _bound(port):
            return True
    except OSError:
        return False


def free_ports(count: int) -> list[int]:
    """Return free ports of 127.0.0.1.

    None is an ephemeral port: a client could get the port of a node that is down.
    """
    found: list[int] = []
    while len(found) < count:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        if port not in found and is_free(port):
            found.append(port)
    return found
