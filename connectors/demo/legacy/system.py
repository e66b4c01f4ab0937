"""What the five systems have in common as programs; as institutions they have nothing in common."""

from __future__ import annotations

from random import Random
from typing import ClassVar, Protocol

from connectors.demo.legacy.ledger import Ledger, Mark, Paper

__all__ = ["System"]


class System(Protocol):
    """One legacy system."""

    name: ClassVar[str]
    books: ClassVar[str]
    schema: ClassVar[str]
    tells_repeats_by: ClassVar[frozenset[Mark]]

    def enter(self, ledger: Ledger, paper: Paper) -> bool:
        """Write down what a clerk enters; return whether it is new."""

    def work(self, ledger: Ledger, paper: Paper, random: Random) -> None:
        """Do what a paper from another agency asks for."""

    def run_night_job(self, ledger: Ledger) -> None:
        """Print what is new, where the system has a batch program."""
