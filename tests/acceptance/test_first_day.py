"""The first day: from an empty folder and a wheel to an own agency on the bus, by commands alone.

Run by `make backends`, since a fresh environment needs a package index; all that is written by hand stands in
this file, and is counted.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from bus.embedded.folder import free_ports

pytestmark = pytest.mark.backends

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 300
EVENT = "business-register.shop-inspected"
FOLDER = Path("agencies/business-register/shop-inspected")
MOST_LINES = 40

SUBSCRIBER = """\
from bus import Bus, DeadLetter, Event, Reason, RetryPolicy
from models import ShopInspected

bus = Bus("licensing-office")
soon = RetryPolicy(schedule_seconds=(0.2,))

@bus.subscribe("business-register.shop-inspected", version=1, purpose="check-inspection", retry=soon)
async def check(event: Event[ShopInspected]) -> DeadLetter | None:
    if event.attempt == 1 and event.data.reference == "CASE-000001":
        raise RuntimeError("the register is closed")
    if event.data.office == "Nowhere":
        return DeadLetter(Reason.HANDLER_FAILED, "no such office")
    print("checked", event.data.reference, event.attempt)
"""
PUBLISHER = """\
import sys
from bus import SyncBus

with SyncBus("business-register") as bus:
    for reference in sys.argv[2:]:
        shop = {"reference": reference, "office": sys.argv[1], "inspector": "Zoë Ångström"}
        bus.publish("business-register.shop-inspected", {**shop, "decided_on": "2026-03-02"}, version="1.0")
"""
INSPECTOR = """\
    "inspector": {
      "description": "Who has inspected it.", "type": "string", "maxLength": 100, "examples": ["Zoë"]
    },
"""
PERSONAL = """\
classification: personal
personal_fields: {$.inspector: name}
other_fields: internal
legal_basis: Trade Act, section 9
"""
REMARK = """\
    "remark": {
      "description": "What else was seen.", "type": "string", "maxLength": 200, "examples": ["Clean"]
    },
"""


class Day:
    """Somebody in a folder, with `govbus` on the path.

    Args:
        folder: the folder.
        programs: the folder of `govbus` and `python`.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.lines = 0
        """How many were written by hand."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("GOVBUS_", "PYTHON"))
        }
        self.environment = {**kept, "PATH": f"{programs}:{kept['PATH']}"}

    def write(self, file: Path | str, text: str) -> None:
        """Write a file by hand."""
        self.lines += len(text.splitlines())
        (self.folder / file).write_text(text, "utf-8")

    def insert(self, file: Path, before: str, text: str, instead_of: str = "") -> None:
        """Add lines to a file by hand, before one of it."""
        self.lines += len(text.splitlines())
        whole = (self.folder / file).read_text("utf-8").replace(instead_of, "", 1)
        assert before in whole
        (self.folder / file).write_text(whole.replace(before, text + before, 1), "utf-8")

    def without(self, file: Path, beginning: str) -> None:
        """Remove a line by hand."""
        lines = (self.folder / file).read_text("utf-8").splitlines(keepends=True)
        (self.folder / file).write_text("".join(line for line in lines if not line.startswith(beginning)))

    def run(self, line: str, *, exits: int = 0) -> str:
        """Run a command line, and return what it printed."""
        done = subprocess.run(
            line.split(" "),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == exits, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, line: str) -> Iterator[IO[str]]:
        """Run a command line until the block ends, then interrupt it; yield what it prints."""
        with subprocess.Popen(
            line.split(" "), cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        ) as program:
            try:
                assert program.stdout is not None
                yield program.stdout
            finally:
                program.send_signal(signal.SIGINT)
        assert program.returncode == 0


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel: the folder of its programs."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
    bin_ = folder / "env" / "bin"
    locked = ["--quiet", "--disable-pip-version-check", "--constraint", str(_constraints(folder))]
    subprocess.run(
        [bin_ / "python", "-m", "pip", "install", *locked, f"{wheel}[embedded,models]"], check=True
    )
    return bin_


def _constraints(folder: Path) -> Path:
    """The versions of `requirements.lock`, without their hashes, which a wheel of one's own does not have."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    pins = [line.split(" \\")[0] for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    (folder / "constraints.txt").write_text("\n".join(pins), "utf-8")
    return folder / "constraints.txt"


def test_from_an_empty_folder_to_an_own_agency(programs: Path, tmp_path: Path) -> None:
    """Each step works as it stands, in at most 40 lines of one's own."""
    day = Day(tmp_path, programs)
    # A country, and an event of one's own with a personal field.
    day.run("govbus new country")
    day.run(f"govbus new event {EVENT}")
    schema = FOLDER / "v1.0.json"
    day.insert(schema, '    "decided_on": {', INSPECTOR)
    day.insert(FOLDER / "contract.yaml", "retention:", PERSONAL, instead_of="classification: internal\n")
    day.without(FOLDER / "contract.yaml", "    sha256:")
    day.run(f"govbus new subscription check-inspection --event {EVENT} --agency licensing-office")
    day.run("govbus contracts lint --write-hashes")
    assert day.run("govbus contracts lint") == ""
    # Two programs, with a model that has the granted fields.
    day.run(f"govbus contracts models {EVENT} --subscription licensing-office -o models.py")
    day.write("checking.py", SUBSCRIBER)
    day.write("inspect_shop.py", PUBLISHER)
    (port,) = free_ports(1)
    day.environment["GOVBUS_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{port}"
    with day.running(f"govbus up --port {port} --data kafka") as up:
        assert up.readline() == f"GOVBUS_BOOTSTRAP_SERVERS=127.0.0.1:{port}\n"
        _walk(day)
    assert day.lines <= MOST_LINES


def _walk(day: Day) -> None:
    day.run("govbus contracts apply")
    with day.running("govbus run checking:bus") as said:
        day.run("python inspect_shop.py North CASE-000001")
        assert said.readline() == "checked CASE-000001 2\n"
        # What is personal is hidden; what could not be handled is a dead letter.
        (event,) = map(
            json.loads, day.run(f"govbus tail {EVENT} --from start --no-follow --json").splitlines()
        )
        assert (event["data"]["reference"], event["data"]["inspector"]) == ("CASE-000001", "***")
        day.run("python inspect_shop.py Nowhere CASE-000002")
        day.run("python inspect_shop.py North CASE-000003")
        assert said.readline() == "checked CASE-000003 1\n"
    listed = day.run("govbus deadletters list --agency licensing-office --json", exits=100)
    (letter,) = map(json.loads, listed.splitlines())
    assert letter["reason"] == "handler-failed"
    # The program is corrected, and the letter given back.
    program = day.folder / "checking.py"
    program.write_text(program.read_text("utf-8").replace('"Nowhere"', '"Elsewhere"'), "utf-8")
    day.run("govbus deadletters redrive --agency licensing-office --state open --why corrected")
    with day.running("govbus run checking:bus") as said:
        assert said.readline() == "checked CASE-000002 1\n"
    # An optional field is compatible; the loss of a field is not.
    (day.folder / "before").mkdir()
    day.run("cp -r agencies services govbus.toml before")
    day.run(f"govbus new version {EVENT} --minor")
    day.insert(FOLDER / "v1.1.json", '    "decided_on": {', REMARK)
    assert day.run("govbus contracts breaking --against before") == ""
    kept = (day.folder / FOLDER / "v1.1.json").read_text("utf-8")
    (day.folder / FOLDER / "v1.1.json").write_text(
        kept.replace('"minLength": 8', '"minLength": 9', 1), "utf-8"
    )
    refused = day.run("govbus contracts breaking --against before", exits=100)
    assert "licensing-office" in refused
    (day.folder / FOLDER / "v1.1.json").write_text(kept, "utf-8")
    day.run("govbus contracts lint --write-hashes")
    day.run("govbus contracts apply")
    # While nobody handles them, nothing is lost.
    late = [f"CASE-00001{number}" for number in range(5)]
    day.run("python inspect_shop.py North " + " ".join(late))
    with day.running("govbus run checking:bus") as said:
        assert {said.readline() for _ in late} == {f"checked {one} 1\n" for one in late}
