"""What goes wrong at an office, told to the system before its day begins."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Weather"]


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes wrong at an office.

    Attributes:
        slow_seconds: How long the intake takes over each call.
        closes_after_calls: The intake call in the middle of which the office closes; None: it never does.
        closed_seconds: How long it stays closed.
        loses_after_calls: The intake call whose paper falls behind the cupboard; for tests of the check.
        doubles_after_calls: The intake call whose paper is worked on twice; for tests of the check.
    """

    slow_seconds: float = 0.0
    closes_after_calls: int | None = None
    closed_seconds: float = 0.0
    loses_after_calls: int | None = None
    doubles_after_calls: int | None = None
