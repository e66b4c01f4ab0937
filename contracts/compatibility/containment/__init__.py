"""Whether every instance of one JSON Schema is an instance of another: proved, refuted, or undecided."""

from contracts.compatibility.containment.deciding import decide
from contracts.compatibility.containment.verdict import NO_WITNESS, Verdict

__all__ = ["NO_WITNESS", "Verdict", "decide"]
