"""Where contestants run: one broker, a topic per race, a process per contestant and round."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient

from bus import Settings, apply_topics
from tests.benchmarks.country import PARTITIONS, Country
from tests.benchmarks.job import Job, ReadySignal, Result

ROOT = Path(__file__).parents[2]
READY_SECONDS = 30.0
GRACE_SECONDS = 60.0


class Track:
    """Starts contestants.

    Args:
        bootstrap_servers: the broker that all share.
        folder: where catalogues and results lie.
        announce: told what runs, before it does.
    """

    def __init__(self, bootstrap_servers: str, folder: Path, announce: Callable[[str], None]) -> None:
        self.failures: list[str] = []
        self._bootstrap_servers = bootstrap_servers
        self._folder = folder
        self._announce = announce
        self._turn = count()

    @contextmanager
    def course(
        self, payload_bytes: int, events: int, warm_up: int = 0, partitions: int = PARTITIONS
    ) -> Iterator[Job]:
        """Make topics of a catalogue of its own, yield the job that contestants vary, remove the topics."""
        mark = uuid4().hex[:8]
        country = Country(self._folder / mark, mark)
        settings = Settings(bootstrap_servers=self._bootstrap_servers)
        made = asyncio.run(apply_topics(settings, country.write(partitions)))
        job = Job("", self._bootstrap_servers, str(country.folder), mark, payload_bytes, events, warm_up)
        try:
            yield job
        finally:
            asyncio.run(self._delete([topic for topic in made if mark in topic]))

    async def _delete(self, topics: list[str]) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap_servers)
        await admin.start()
        try:
            await admin.delete_topics(topics)
        finally:
            await admin.close()

    def run(self, job: Job, contestant: str, note: str = "") -> Result:
        """Run one contestant to its end, in a consumer group that nobody used before."""
        running = self.start(job, contestant, note)
        return self.finish(running)

    def start(self, job: Job, contestant: str, note: str = "") -> "Running":
        """Start one contestant."""
        turn = next(self._turn)
        job = replace(job, contestant=contestant, group=f"group-{turn}-{job.mark}")
        self._announce(f"{contestant}, {job.payload_bytes:,} B {note}".strip())
        return Running(job, self._folder / f"{turn}.json")

    def finish(self, running: "Running") -> Result:
        """Wait for a contestant; one that failed or hung is noted and has no figures."""
        result = running.result()
        if result.skipped.startswith("failed"):
            self.failures.append(f"{running.job.contestant}: {result.skipped}")
        return result


class Running:
    """A contestant on its way."""

    def __init__(self, job: Job, result_file: Path) -> None:
        self.job = job
        self._result_file = result_file
        self._errors = result_file.with_suffix(".stderr")
        command = [sys.executable, "-m", "tests.benchmarks.child", job.to_json(), str(result_file)]
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=errors, stderr=errors)

    def wait_until_ready(self) -> None:
        """Return when the contestant reads, or has ended, or took too long."""
        ready, until = ReadySignal(self._result_file.with_suffix(".ready")), monotonic() + READY_SECONDS
        while not ready.given and self._process.poll() is None and monotonic() < until:
            sleep(0.02)

    def result(self) -> Result:
        """Return what the contestant left."""
        try:
            self._process.wait(self.job.limit_seconds + GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return Result(skipped=f"failed: no end after {self.job.limit_seconds + GRACE_SECONDS:g} s")
        finally:
            self._process.kill()
            self._process.wait()
        if self._process.returncode == 0:
            return Result.from_json(self._result_file.read_bytes())
        lines = self._errors.read_text(errors="replace").strip().splitlines() or ["no word"]
        return Result(skipped=f"failed: {lines[-1][:300]}")
