"""The live state of each connector, and one log line whenever it changes."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from contracts import visible_logger

_LOG = visible_logger("govbus.connectors")

State: TypeAlias = Literal[
    "starting", "standby", "running", "waiting", "blocked", "finished", "failed", "stopped"
]
Count: TypeAlias = Literal["published", "dead-lettered", "skipped", "written", "retried"]


@dataclass(slots=True)
class Health:
    """The live state of one connector.

    Attributes:
        agency: Whose connector it is.
        name: Its name.
        kind: Whether it is a source or a sink.
        state: `standby` is while another process runs it. `waiting` is between two attempts after an error;
            `blocked` is too, and lasts until a person acts. `failed` has stopped, and needs a person.
        reason: One word of a closed set for the last error, None when running well.
        detail: One line about it, without values.
        since: When the state began, aware.
        counts: Records since the start, by outcome.
    """

    agency: str
    name: str
    kind: Literal["source", "sink"]
    state: State = "starting"
    reason: str | None = None
    detail: str = ""
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    counts: Counter[Count] = field(default_factory=Counter)

    def standby(self) -> None:
        """Another process runs it; this one does once that has ended."""
        self._enter("standby", None, "")

    def running(self) -> None:
        """The last step succeeded."""
        self._enter("running", None, "")

    def waiting(self, reason: str, detail: str, seconds: float | None = None) -> None:
        """An attempt failed; another follows.

        Args:
            reason: One word of a closed set.
            detail: One line, without values.
            seconds: Until the next attempt, where it is known here; the bus decides it for a sink.
        """
        when = "later" if seconds is None else f"in {seconds:.1f} s"
        self._enter("waiting", reason, f"{detail}; trying again {when}")

    def blocked(self, reason: str, detail: str) -> None:
        """Nothing goes on until a person changes something; attempts are made to see whether one did."""
        self._enter("blocked", reason, detail)

    def failed(self, reason: str, detail: str) -> None:
        """It has stopped until a person changes something."""
        self._enter("failed", reason, detail)

    @property
    def needs_a_person(self) -> bool:
        """Whether it goes on only after a person has changed something."""
        return self.state in {"blocked", "failed"}

    def finished(self) -> None:
        """Its source has ended."""
        self._enter("finished", None, "")

    def stopped(self) -> None:
        """It was stopped; what needs a person, or the end of its source, stays visible."""
        if self.state not in {"blocked", "failed", "finished"}:
            self._enter("stopped", None, "")

    def _enter(self, state: State, reason: str | None, detail: str) -> None:
        self.detail = detail
        if (state, reason) == (self.state, self.reason):
            return
        if state != self.state:
            self.since = datetime.now(UTC)
        self.state, self.reason = state, reason
        level = {"waiting": logging.WARNING, "blocked": logging.ERROR, "failed": logging.ERROR}.get(
            state, logging.INFO
        )
        why = f" {reason}: {detail}" if reason else ""
        _LOG.log(level, "%s %s/%s %s%s", self.kind, self.agency, self.name, state, why)
