"""Containment against pairs that other projects labelled: never a wrong "compatible", seldom no answer.

They lie in `compat/` of the folder named by `GOVBUS_SHARED`, by default `shared` beside the repository.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from contracts.compatibility.verdict import NO_WITNESS, decide

SHARED = Path(os.environ.get("GOVBUS_SHARED", Path(__file__).resolve().parents[4] / "shared"))
RIGHT = {
    "containment_draft7": 1881,
    "json_schema_diff": 85,
    "jsoncompat": 60,
    "jsonsubschema": 523,
    "karapace": 309,
}
"""Labelled pairs answered rightly; the rest of each set is undecided.

Of jsonsubschema four have a side that is no schema under its dialect, and so no verdict.
"""
PATIENCE_SECONDS = 30.0
SAMPLE = 7
"""Each so-many-th pair is judged where the run is not whole."""
ANSWERS = {"compatible": True, "incompatible": False, "undecided": None}


def labelled(name: str) -> list[dict[str, Any]]:
    """The pairs of a set."""
    path = SHARED / "compat" / f"compat_{name}.json"
    if not path.is_file():
        pytest.skip("no folder shared/compat here: GOVBUS_SHARED names the folder `shared`")
    cases: list[dict[str, Any]] = json.loads(path.read_text())["cases"]
    return cases


@pytest.mark.parametrize("name", RIGHT)
def test_labels_of_others_are_met(name: str, whole: bool) -> None:
    """No counterexample exists where the answer is compatible, and one comes with each incompatible."""
    outcomes: Counter[str] = Counter()
    for case in labelled(name)[:: 1 if whole else SAMPLE]:
        references = case.get("remotes") or {}
        verdict = decide(
            case["old"],
            case["new"],
            dialect=case["dialect"],
            old_references=references,
            new_references=references,
            limit_seconds=PATIENCE_SECONDS,
        )
        assert (verdict.witness is not NO_WITNESS) == (verdict.answer == "incompatible"), case["id"]
        answer, label = ANSWERS[verdict.answer], case["semantic"]
        if label is None or answer is None:
            outcomes["open"] += label is not None
        else:
            assert answer == label, f"{case['id']}: {verdict.reason}"
            outcomes["right"] += 1
    assert outcomes["right"] >= (RIGHT[name] if whole else 1)
