"""The process of a node: started through its watcher, waited for, ended."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bus.embedded import watcher as embedded_watcher
from bus.embedded.errors import NodeError

STARTED = b"Kafka Server started"
PORT_TAKEN = b"Address already in use"
LOOK_SECONDS = 0.02
LONG_LOG_BYTES = 5_000_000
WORST_STOP_SECONDS = 15.0


class NodeProcess:
    """A running Java with its watcher.

    Args:
        command: The Java program and its arguments.
        log_file: The node's log; its earlier content is ignored.
        folder: The node's working folder.
        grace_seconds: How long Java may take to stop before it is killed; 0 kills it at once.
        remove: A temporary folder, removed when this process dies without stopping the node.
        claim: A descriptor that must stay open as long as the node lives.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_file: Path,
        folder: Path,
        grace_seconds: float,
        remove: Path | None,
        claim: int,
    ) -> None:
        self._log_file = log_file
        _turn_over(log_file)
        self._skipped = log_file.stat().st_size if log_file.exists() else 0
        self._grace_seconds = grace_seconds
        order = {
            "command": list(command),
            "log": str(log_file),
            "folder": str(folder),
            "owner": os.getpid(),
            "grace_seconds": grace_seconds,
            "remove": str(remove) if remove else None,
        }
        self._watcher = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", embedded_watcher.__file__, json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(claim,),
            start_new_session=True,
        )
        assert self._watcher.stdout is not None  # noqa: S101 - narrows the type, a pipe was asked for
        self._answer = self._watcher.stdout
        self.pid = int(self._answer.readline() or 0)

    @property
    def is_running(self) -> bool:
        """Whether the node has neither stopped nor died."""
        return not (self._answer.closed or self._has_ended(0))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the node, if it runs."""
        if self.is_running:  # as long as it runs its watcher keeps its process id from others
            os.kill(self.pid, number)

    def wait_until_ended(self, timeout_seconds: float) -> bool:
        """Wait for the node to end, and return whether it did."""
        return self._answer.closed or self._has_ended(timeout_seconds)

    @property
    def port_was_taken(self) -> bool:
        """Whether the node died because another process listens on its port."""
        return PORT_TAKEN in self._new_log()

    def wait_until_started(self, timeout_seconds: float) -> None:
        """Return when clients can connect.

        Raises:
            NodeError: It died, or did not start in time; the message names the log.
        """
        deadline = time.monotonic() + timeout_seconds
        while STARTED not in self._new_log():
            if not self.is_running:
                msg = f"Apache Kafka stopped while starting - {self._last_error()} - see {self._log_file}"
                raise NodeError(msg)
            if time.monotonic() > deadline:
                msg = f"Apache Kafka did not start within {timeout_seconds:.0f} s - see {self._log_file}"
                raise NodeError(msg)
            time.sleep(LOOK_SECONDS)

    def begin_stop(self) -> None:
        """Ask the node to stop."""
        assert self._watcher.stdin is not None  # noqa: S101 - narrows the type, a pipe was asked for
        # A word, not only the end of the pipe: a fork of this process may still hold its other copy.
        with contextlib.suppress(
            BrokenPipeError, ValueError
        ):  # its watcher was killed, or it was told before
            self._watcher.stdin.write(b"stop\n")
            self._watcher.stdin.close()

    def stop(self) -> None:
        """Stop the node, and return when it has ended."""
        self.begin_stop()
        try:
            self._watcher.wait(self._grace_seconds + WORST_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._watcher.kill()
            self._watcher.wait()
        self._answer.close()

    def _has_ended(self, timeout_seconds: float) -> bool:
        end = select.poll()
        end.register(self._answer.fileno())
        return bool(end.poll(timeout_seconds * 1000))

    def _new_log(self) -> bytes:
        if not self._log_file.exists():
            return b""
        with self._log_file.open("rb") as log:
            log.seek(self._skipped)
            return log.read()

    def _last_error(self) -> str:
        lines = self._new_log().decode("utf-8", "replace").splitlines()
        faults = [line for line in lines if " ERROR " in line or " FATAL " in line or "Error" in line]
        return (faults or lines or ["it wrote nothing"])[-1]


def _turn_over(log_file: Path) -> None:
    """Rotate the log now, since Kafka would do it during the start that is followed in it."""
    if log_file.exists() and log_file.stat().st_size > LONG_LOG_BYTES:
        log_file.replace(log_file.with_name(f"{log_file.name}.1"))
