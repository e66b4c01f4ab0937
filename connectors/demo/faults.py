"""What goes wrong besides the clerks' typing: one office is slow, another closes for a while. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from connectors.demo.legacy.office import OfficeFaults

__all__ = ["describe_faults", "draw_faults"]

SLOW_SECONDS = 0.4
CLOSED_SECONDS = 6.0
CLOSES_AFTER_CALLS = 4


def draw_faults(seed: int) -> dict[str, OfficeFaults]:
    """Return the faults by agency, the same for the same seed: one that is slow and another that closes."""
    random = Random(f"govbus-demo/weather/{seed}")  # noqa: S311 - a demo, not a secret
    closed, slow = random.sample(("health", "social-security", "municipality", "tax"), 2)
    return {
        slow: OfficeFaults(slow_seconds=SLOW_SECONDS),
        closed: OfficeFaults(closes_after_calls=CLOSES_AFTER_CALLS, closed_seconds=CLOSED_SECONDS),
    }


def describe_faults(faults: Mapping[str, OfficeFaults]) -> tuple[str, ...]:
    """Return a sentence for each fault."""
    sentences = []
    for agency, office in faults.items():
        if office.slow_seconds:
            sentences.append(f"{agency} takes {office.slow_seconds:g} s for each call")
        if office.closes_after_calls is not None:
            sentences.append(
                f"{agency} hangs up during call {office.closes_after_calls}, then is closed for "
                f"{office.closed_seconds:g} s"
            )
    return tuple(sentences)
