"""What the person who starts the demo asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from connectors.demo.faults import FaultPlan

__all__ = ["DemoError", "Wish"]


class DemoError(Exception):
    """The demo can't run; the message says what, why and how to mend it."""

    retriable = False
    reason = "demo"


@dataclass(frozen=True, slots=True)
class Wish:
    """The options of one run.

    Attributes:
        transactions: How many cases the clerks enter.
        rate: How many they enter per second.
        seed: Of the people, their cases and the weather.
        faults: Whether something goes wrong.
        stays: Whether the country stays up after the summary until it is stopped.
        port: Of the console.
        json_file: Where the summary goes as JSON, if anywhere.
        stall_seconds: How long nothing may happen before what is open counts as lost.
        plan: Takes the place of the seed's weather; the tests of the check hand one in.
    """

    transactions: int = 200
    rate: float = 5.0
    seed: int = 1
    faults: bool = True
    stays: bool = True
    port: int = 8900
    json_file: Path | None = None
    stall_seconds: float = 30.0
    plan: FaultPlan | None = None
