"""What goes wrong in the country besides the clerks' typing: one office is slow, another closes for a while.

Pure: the same seed gives the same weather.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from random import Random

from connectors.demo.legacy.weather import Weather

__all__ = ["FaultPlan", "draw_faults"]

SLOW_SECONDS = 0.4
CLOSED_SECONDS = 6.0
CLOSES_AFTER_CALLS = 4


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Each agency's weather; an agency that isn't named has a fine day."""

    weather: Mapping[str, Weather] = field(default_factory=dict)

    def sentences(self) -> tuple[str, ...]:
        """Say what will go wrong, for the person at the screen."""
        said = []
        for agency, weather in self.weather.items():
            if weather.slow_seconds:
                said.append(f"{agency} takes {weather.slow_seconds:g} s over each paper")
            if weather.closes_after_calls is not None:
                said.append(
                    f"{agency} hangs up in the middle of paper {weather.closes_after_calls} and stays "
                    f"closed for {weather.closed_seconds:g} s"
                )
        return tuple(said)

    def as_config(self) -> dict[str, dict[str, object]]:
        """Return it as the legacy systems' configuration file has it."""
        return {agency: asdict(weather) for agency, weather in self.weather.items()}


def draw_faults(seed: int) -> FaultPlan:
    """Return one slow agency and another one that closes."""
    random = Random(f"govbus-demo/weather/{seed}")  # noqa: S311 - a demo, not a secret
    closed, slow = random.sample(("health", "social-security", "municipality", "tax"), 2)
    return FaultPlan(
        {
            slow: Weather(slow_seconds=SLOW_SECONDS),
            closed: Weather(closes_after_calls=CLOSES_AFTER_CALLS, closed_seconds=CLOSED_SECONDS),
        }
    )
