"""What the five systems have in common as programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import ClassVar

from connectors.demo.legacy.database import LegacyDatabase, Paper, RepeatMark
from connectors.demo.legacy.night_job import NightJob

__all__ = ["LegacySystem"]


class LegacySystem:
    """One legacy system.

    Args:
        folder: Where its batch programs drop their files.
    """

    name: ClassVar[str]
    file: ClassVar[str]
    schema: ClassVar[str]
    repeats_by: ClassVar[frozenset[RepeatMark]]

    def __init__(self, folder: Path) -> None:
        self.night_jobs: Sequence[NightJob] = self.make_night_jobs(folder)

    def make_night_jobs(self, folder: Path) -> Sequence[NightJob]:  # noqa: ARG002 - for those that have some
        """Return the batch programs of the system."""
        return ()

    def enter(self, database: LegacyDatabase, paper: Paper) -> bool:  # noqa: ARG002 - for those where a service starts
        """Store what a clerk enters; return whether it is new."""
        return False

    def work(self, database: LegacyDatabase, paper: Paper, random: Random) -> None:
        """Do what a paper from another agency asks for."""
        raise NotImplementedError
