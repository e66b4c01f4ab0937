"""A real Apache Kafka on this machine, for development, tests and the demo.

Law of this file: a node ends with the process that started it, however that ends; events in a named folder
stay; only this machine can reach it.
"""

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from bus.embedded.config import HOST, SCRAM, Admin, NodePlan, NodeSecurity, Ports
from bus.embedded.errors import NodeError
from bus.embedded.fetch import fetch_jars
from bus.embedded.folder import NodeState, claim, free_ports, is_free, resume_state, write_state
from bus.embedded.jars import KAFKA_VERSION, cache_folder, locked_jars, provide_jars
from bus.embedded.java import find_java
from bus.embedded.node import STOP_GRACE_SECONDS, Care, KafkaNode
from bus.embedded.progress import Progress, shown_progress
from bus.embedded.storage import kafka_uuid
from bus.embedded.tls import Authority, ClientCertificate

ADMIN_USERNAME = "admin"
PORT_TRIES = 3


class EmbeddedKafka:
    """An Apache Kafka that lives as long as the process that starts it.

    It listens on 127.0.0.1 only. Its jars come from a Maven repository once and are then kept in the user's
    cache. A context manager; its methods block, so call them in a thread where an event loop runs.

    Args:
        data_dir: Keeps the events over restarts; None puts them in a temporary folder, removed on stop.
        nodes: Number of nodes; three give replication factor 3 and min ISR 2.
        port: The port of the first node, the next ones count up; None takes the last ports of `data_dir` if
            they are free, else any.
        sasl: Require SCRAM-SHA-512, and deny what no ACL allows, except to `admin_username`.
        tls: Encrypt, with a certificate authority in this folder, and deny what no ACL allows. Without `sasl`
            a client needs a certificate of that authority, whose common name is its user name.
        advertised: The `host:port` that clients should use instead of each node's own, such as a proxy's.
        progress: Called with the bytes fetched so far and in total; None shows them on stderr.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        nodes: int = 1,
        port: int | None = None,
        sasl: bool = False,
        tls: Path | None = None,
        advertised: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> None:
        self._named = data_dir.expanduser().absolute() if data_dir else None
        self._count = nodes
        self._asked_port = port
        self._sasl = sasl
        self._tls = tls.expanduser().absolute() if tls else None
        self._advertised = tuple(advertised)
        self._progress = progress
        self._guard: NodeSecurity | None = None
        self._authority: Authority | None = None
        self._nodes: tuple[KafkaNode, ...] = ()
        self._claim: int | None = None
        self._temporary: Path | None = None
        self._lock = threading.Lock()

    def start(self) -> Self:
        """Start, and return when clients can connect; does nothing if it runs.

        Raises:
            JarError: A jar could not be fetched, or is not the one that was locked.
            JavaError: No Java was found that can run it.
            NodeError: The folder or port is taken, or a node did not start; its log is named.
        """
        with self._lock:
            if not self._nodes:
                with ExitStack() as on_failure:
                    on_failure.callback(self._give_up)
                    self._start()
                    on_failure.pop_all()
        return self

    def stop(self) -> None:
        """Stop every node and remove a temporary folder; does nothing if it does not run."""
        with self._lock:
            self._end()
            self._discard()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def kill(self, number: int = 1) -> None:
        """End a node with SIGKILL; its events stay for `restart`.

        Args:
            number: Which node, from 1.
        """
        self._node(number).kill()

    def restart(self, number: int = 1) -> None:
        """Start a node again, on its port and with its events; a running one is stopped gracefully first.

        Args:
            number: Which node, from 1.

        Raises:
            NodeError: It did not start; its log is named.
        """
        self._node(number).restart()

    def pause(self, number: int = 1) -> None:
        """Suspend a node with SIGSTOP; its connections stay open."""
        self._node(number).pause()

    def resume(self, number: int = 1) -> None:
        """Resume a paused node."""
        self._node(number).resume()

    def certificate(self, name: str) -> ClientCertificate:
        """Issue a certificate to a client of a Kafka with `tls`, which makes it `User:<name>` there."""
        self._node(1)
        if self._authority is None:
            raise NodeError(
                "cannot issue a certificate - this Kafka was started without `tls` - name a folder"
            )
        return self._authority.for_client(name)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The `host:port` where each node listens, regardless of what it advertises."""
        return tuple(node.address for node in self._started)

    @property
    def bootstrap_servers(self) -> str:
        """The `host:port` of every node, for clients."""
        return ",".join(self._advertised or self.addresses)

    @property
    def log_files(self) -> tuple[Path, ...]:
        """The log of each node."""
        return tuple(node.plan.log_file for node in self._started)

    @property
    def folder(self) -> Path:
        """The folder of its settings, logs and events."""
        first = self._node(1).plan.folder
        return first if self._count == 1 else first.parent

    @property
    def admin_username(self) -> str | None:
        """The super user's name; None without access control."""
        return self._guard.admin.username if self._guard else None

    @property
    def admin_password(self) -> str | None:
        """The super user's password, random for each new Kafka; None without `sasl`."""
        return self._guard.admin.password if self._guard and self._guard.scram else None

    @property
    def pids(self) -> tuple[int | None, ...]:
        """The process id of each node's Java; None if it does not run."""
        return tuple(node.pid for node in self._nodes)

    @property
    def is_running(self) -> bool:
        """Whether every node runs."""
        return bool(self._nodes) and None not in self.pids

    def environment(self) -> dict[str, str]:
        """Return the `GOVBUS_*` variables for connecting to it, as the super user if there is one."""
        variables = {"GOVBUS_BOOTSTRAP_SERVERS": self.bootstrap_servers}
        if self._guard is not None:
            variables["GOVBUS_SECURITY_PROTOCOL"] = self._guard.protocol
        if self._guard is not None and self._guard.scram:
            variables |= {
                "GOVBUS_SASL_MECHANISM": SCRAM,
                "GOVBUS_SASL_USERNAME": self._guard.admin.username,
                "GOVBUS_SASL_PASSWORD": self._guard.admin.password,
            }
        if self._authority is not None:
            shown = self._authority.for_client(ADMIN_USERNAME)
            variables |= {
                "GOVBUS_SSL_CAFILE": str(shown.cafile),
                "GOVBUS_SSL_CERTFILE": str(shown.certfile),
                "GOVBUS_SSL_KEYFILE": str(shown.keyfile),
            }
        return variables

    @property
    def _started(self) -> tuple[KafkaNode, ...]:
        if not self._nodes:
            raise NodeError("the embedded Kafka does not run - it was not started - call start() first")
        return self._nodes

    def _node(self, number: int) -> KafkaNode:
        if not 1 <= number <= self._count:
            raise NodeError(f"expected a node from 1 to {self._count}, got {number}")
        return self._started[number - 1]

    def _start(self) -> None:
        if self._advertised and len(self._advertised) != self._count:
            raise NodeError(f"expected {self._count} advertised address(es), got {len(self._advertised)}")
        java, jars = find_java(), self._jars()
        root = self._folder()
        self._claim = claim(root)
        state = resume_state(root, self._fresh_state())
        self._guard = self._guarded(state)
        cache = root if self._sasl else jars[0].parent
        for last_try in range(PORT_TRIES - 1, -1, -1):
            state = replace(state, ports=self._ports(state))
            write_state(root, state)
            self._nodes = tuple(
                KafkaNode(plan, java.path, jars, self._care(self._claim)) for plan in self._plans(root, state)
            )
            for node in self._nodes:
                node.prepare(state.cluster_id, cache / f"features-{KAFKA_VERSION}.checkpoint")
            try:
                self._launch()
            except NodeError:
                # Between our look and Kafka's start somebody may take a port that we chose.
                taken = any(node.port_was_taken for node in self._nodes)
                if not (taken and last_try and self._asked_port is None):
                    raise
                self._stop_nodes()
            else:
                return

    def _launch(self) -> None:
        for node in self._nodes:
            node.launch()
        for node in self._nodes:
            node.wait_until_started()

    def _jars(self) -> tuple[Path, ...]:
        folder = cache_folder() / "kafka"
        if self._progress is not None:
            return provide_jars(locked_jars(), folder, fetch_jars, self._progress)
        with shown_progress(f"fetching Apache Kafka {KAFKA_VERSION}") as progress:
            return provide_jars(locked_jars(), folder, fetch_jars, progress)

    def _folder(self) -> Path:
        if self._named is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="govbus-kafka-"))
            return self._temporary
        self._named.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._named

    def _fresh_state(self) -> NodeState:
        access = "+".join(name for name, asked in (("SASL", self._sasl), ("TLS", self._tls)) if asked)
        password = secrets.token_urlsafe(24) if access else None
        return NodeState(kafka_uuid(), access or "open", (0,) * self._count, password)

    def _guarded(self, state: NodeState) -> NodeSecurity | None:
        self._authority = Authority.open(self._tls) if self._tls else None
        if state.admin_password is None:
            return None
        admin = Admin(ADMIN_USERNAME, state.admin_password)
        if self._authority is None:
            return NodeSecurity(admin, self._sasl)
        return NodeSecurity(
            admin, self._sasl, keys=self._authority.for_node(), authority=self._authority.file
        )

    def _plans(self, root: Path, state: NodeState) -> list[NodePlan]:
        others = iter([port for port in free_ports(3 * self._count) if port not in state.ports])
        cluster = tuple(Ports(port, next(others), next(others)) for port in state.ports)
        return [
            NodePlan(
                folder=root if self._count == 1 else root / f"node-{number}",
                cluster=cluster,
                number=number,
                advertised=self._advertised[number - 1] if self._advertised else None,
                guard=self._guard,
            )
            for number in range(1, self._count + 1)
        ]

    def _ports(self, state: NodeState) -> tuple[int, ...]:
        if self._asked_port is None:
            fresh = iter(free_ports(self._count))
            return tuple(port if port and is_free(port) else next(fresh) for port in state.ports)
        asked = tuple(range(self._asked_port, self._asked_port + self._count))
        for port in asked:
            if not is_free(port):
                msg = f"cannot listen on {HOST}:{port} - the port is in use - name another port"
                raise NodeError(msg)
        return asked

    def _care(self, held: int) -> Care:
        return Care(STOP_GRACE_SECONDS if self._named else 0, self._temporary, held)

    def _give_up(self) -> None:
        logged = any(node.plan.log_file.exists() for node in self._nodes)
        self._end()
        if not logged:
            self._discard()  # else its log is what the error names

    def _discard(self) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def _end(self) -> None:
        self._stop_nodes()
        self._nodes = ()
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def _stop_nodes(self) -> None:
        # All at once: the last of a cluster would wait for the others to let it go.
        for node in self._nodes:
            node.begin_stop()
        for node in self._nodes:
            node.stop()
