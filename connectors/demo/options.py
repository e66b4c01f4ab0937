"""The options of the demo, and the error it fails with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connectors.demo.legacy.office import OfficeFaults

__all__ = ["DemoError", "DemoOptions"]


class DemoError(Exception):
    """The demo cannot run; the message says what, why and what to do."""

    retriable = False
    reason = "demo"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The options of one run.

    Attributes:
        transactions: How many cases the clerks enter.
        rate: How many they enter per second.
        seed: Of the people, their cases and the faults.
        faults: Whether something goes wrong.
        stays: Whether the demo stays up after the summary until it is stopped.
        port: Of the console.
        json_file: Where the summary goes as JSON, if anywhere.
        stall_seconds: How long nothing may happen before open cases count as lost.
        office_faults: Replaces the faults of the seed, by agency; for tests of the account.
    """

    transactions: int = 200
    rate: float = 5.0
    seed: int = 1
    faults: bool = True
    stays: bool = True
    port: int = 8900
    json_file: Path | None = None
    stall_seconds: float = 30.0
    office_faults: Mapping[str, OfficeFaults] | None = None
