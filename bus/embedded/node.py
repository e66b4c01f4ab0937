"""One node of an embedded Kafka: its settings and storage on disk, and its process."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bus.embedded.config import (
    HOST,
    NodePlan,
    java_arguments,
    log_properties,
    node_properties,
    render_arguments,
    render_properties,
    serve_arguments,
)
from bus.embedded.errors import NodeError
from bus.embedded.folder import write_private
from bus.embedded.process import NodeProcess
from bus.embedded.storage import make_storage

START_TIMEOUT_SECONDS = 60.0
STOP_GRACE_SECONDS = 20.0
KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Care:
    """How a node and its folder end.

    Attributes:
        grace_seconds: How long it may take to stop before it is killed; 0 kills it at once.
        remove: A temporary folder that is removed with it.
        claim: A descriptor that stays open as long as it lives.
    """

    grace_seconds: float
    remove: Path | None
    claim: int


class KafkaNode:
    """A node that can be killed, restarted, paused and resumed.

    Args:
        plan: Its folder, ports and cluster.
        java: The program that runs it.
        jars: Kafka's jars.
        care: How it ends.
    """

    def __init__(self, plan: NodePlan, java: Path, jars: Sequence[Path], care: Care) -> None:
        self.plan = plan
        self._java = [str(java), *java_arguments(plan, jars)]
        self._care = care
        self._process: NodeProcess | None = None

    @property
    def address(self) -> str:
        """The `host:port` where the node listens to clients."""
        return f"{HOST}:{self.plan.ports.clients}"

    @property
    def pid(self) -> int | None:
        """The process id of its Java; None when it does not run."""
        return self._process.pid if self._process and self._process.is_running else None

    @property
    def port_was_taken(self) -> bool:
        """Whether it died because another process listens on one of its ports."""
        return self._process is not None and self._process.port_was_taken

    def prepare(self, cluster_id: str, features: Path) -> None:
        """Write its settings, and empty storage if it is new.

        Raises:
            NodeError: The storage could not be made.
        """
        plan = self.plan
        plan.folder.mkdir(mode=0o700, exist_ok=True)
        write_private(plan.properties_file, render_properties(node_properties(plan)))
        write_private(plan.log_properties_file, render_properties(log_properties(plan.log_file)))
        make_storage(plan, cluster_id, self._java, features)
        write_private(self._order, render_arguments([*self._java[1:], *serve_arguments(plan)]))

    def launch(self) -> None:
        """Start its process."""
        ended, self._process = (
            self._process,
            NodeProcess(
                [self._java[0], f"@{self._order}"],
                log_file=self.plan.log_file,
                folder=self.plan.folder,
                grace_seconds=self._care.grace_seconds,
                remove=self._care.remove,
                claim=self._care.claim,
            ),
        )
        if ended is not None:
            ended.stop()

    def wait_until_started(self) -> None:
        """Return when clients can connect.

        Raises:
            NodeError: It died, or did not start in time; the message names the log.
        """
        self._launched.wait_until_started(START_TIMEOUT_SECONDS)

    def kill(self) -> None:
        """Kill it with SIGKILL; its files stay."""
        self._launched.signal(signal.SIGKILL)
        if not self._launched.wait_until_ended(KILL_SECONDS):
            raise NodeError(f"process {self._launched.pid} does not end - see {self.plan.log_file}")

    def restart(self) -> None:
        """Start it again, on its ports and with its events; a running one is stopped gracefully first.

        Raises:
            NodeError: It did not start; the message names its log.
        """
        self._launched.signal(signal.SIGTERM)
        self._launched.signal(signal.SIGCONT)
        if not self._launched.wait_until_ended(STOP_GRACE_SECONDS):
            self.kill()
        self.launch()
        self.wait_until_started()

    def pause(self) -> None:
        """Suspend it; its connections stay open."""
        self._launched.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it."""
        self._launched.signal(signal.SIGCONT)

    def begin_stop(self) -> None:
        """Ask it to stop."""
        if self._process is not None:
            self._process.begin_stop()

    def stop(self) -> None:
        """Stop it, and return when it has ended."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    @property
    def _order(self) -> Path:
        return self.plan.folder / "serve.args"

    @property
    def _launched(self) -> NodeProcess:
        if self._process is None:
            raise NodeError("the embedded Kafka does not run - it was not started - call start() first")
        return self._process
