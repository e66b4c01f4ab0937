"""The benchmarks run, and fill their table; how fast anything is depends on the machine, so no test asks."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.architecture.project import ROOT
from tests.benchmarks.races import PUBLISH_OPPONENTS, SUBSCRIBE_OPPONENTS

TIMEOUT_SECONDS = 120.0
OPPONENTS = {"publish": PUBLISH_OPPONENTS, "subscribe": SUBSCRIBE_OPPONENTS}
NEEDS_AN_EXTRA = "confluent-kafka with its JSONSerializer"


def test_a_quick_run_fills_every_row(kafka: str, tmp_path: Path, whole: bool) -> None:
    """Every row has the bus' figure, the other's, and their ratio: finite, on screen and in both files."""
    sections = ["publish", "subscribe"] if whole else ["publish"]
    saved, table = tmp_path / "rows.json", tmp_path / "rows.md"
    run = subprocess.run(
        [
            sys.executable, "-m", "tests.benchmarks", "--quick", "--only", ",".join(sections),
            "--json", str(saved), "--markdown", str(table),
        ],
        cwd=ROOT, env={**os.environ, "GOVBUS_BOOTSTRAP_SERVERS": kafka}, capture_output=True, text=True,
        timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    rows = json.loads(saved.read_text())["rows"]
    assert [row["section"] for row in rows] == [name for name in sections for _ in OPPONENTS[name]]
    skipped = {row["against"] for row in rows if row["skipped"]}
    assert skipped <= {NEEDS_AN_EXTRA}
    assert [row["against"] for row in rows if not _is_filled(row)] == sorted(skipped)
    assert [row["against"] for row in rows if row["against"] not in table.read_text()] == []
    assert "bare aiokafka" in run.stdout


def _is_filled(row: dict[str, Any]) -> bool:
    figures = [row["govbus"], row["other"], row["cpu_ratio"], *row["govbus_rounds"], *row["other_rounds"]]
    return all(isinstance(figure, float) and math.isfinite(figure) and figure > 0 for figure in figures)
