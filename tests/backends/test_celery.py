"""A task of Celery publishes, in each of the processes that a worker forks."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bus import apply_topics
from tests.small_catalog import SmallCountry, case
from tests.worlds import PATIENCE_SECONDS, KafkaWorld, until

pytestmark = pytest.mark.backends

PAGE = (Path(__file__).parents[2] / "bus" / "without-asyncio.md").read_text("utf-8")
FOLDERS = """
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"
}
"""
TASKS = 20


@contextmanager
def worker(folder: Path, named: dict[str, str]) -> Iterator[None]:
    """Run a worker of two processes until the block ends."""
    options = ["--pool", "prefork", "--concurrency", "2", "--loglevel", "INFO"]
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", *options]
    with (folder / "worker.log").open("wb") as log:
        running = subprocess.Popen(command, cwd=folder, env=named, stdout=log, stderr=log)
    try:
        yield
    finally:
        running.terminate()
        running.wait(PATIENCE_SECONDS)


async def test_the_tasks_of_the_page_publish(tmp_path: Path, kafka: str) -> None:
    """Twenty tasks, over two processes, each once."""
    country = SmallCountry(tmp_path / "catalog")
    world = KafkaWorld(country, kafka)
    await apply_topics(world.settings(), country.catalog)
    (program,) = re.findall(r"^```python\n# tasks\.py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    program = program.replace('"tax"', f'"{country.north}"').replace(
        "tax.business-registered", country.opened
    )
    (tmp_path / "tasks.py").write_text(program + FOLDERS, "utf-8")
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    named = {
        **os.environ, "CELERY_BROKER": "filesystem://", "GOVBUS_CATALOG": str(country.folder),
        "GOVBUS_BOOTSTRAP_SERVERS": kafka,
    }  # fmt: skip
    await asyncio.to_thread(send, tmp_path, named)
    with worker(tmp_path, named):
        await until(lambda: len(done(tmp_path)) == TASKS)
    assert len(await world.records(country.topic)) == TASKS
    assert len({process for process, _ in done(tmp_path)}) == 2


def send(folder: Path, named: dict[str, str]) -> None:
    """Ask for the tasks."""
    program = "import json, sys, tasks\nfor one in json.load(sys.stdin): tasks.announce.delay(one)"
    data = json.dumps([case(number, reference=f"case-{number:04}") for number in range(TASKS)])
    subprocess.run([sys.executable, "-c", program], cwd=folder, env=named, input=data, text=True, check=True)


def done(folder: Path) -> list[tuple[str, str]]:
    """Process and id of each task that has ended well."""
    text = (folder / "worker.log").read_text("utf-8")
    return re.findall(r"(ForkPoolWorker-\d+)\] Task tasks\.announce\[([0-9a-f-]+)\] succeeded", text)
