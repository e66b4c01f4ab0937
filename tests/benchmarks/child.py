"""One contestant, one round, one process: `python -m tests.benchmarks.child JOB RESULT_FILE`."""

import asyncio
import cProfile
import inspect
import logging
import os
import pstats
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from contracts import collect_rarely
from tests.benchmarks import bare, open_loop, publishing, subscribing, waiting
from tests.benchmarks.job import Job, ReadySignal, Result

Contestant = Callable[..., Any]

CONTESTANTS: Mapping[str, Contestant] = {
    "publish/govbus": publishing.govbus,
    "publish/aiokafka": publishing.aiokafka,
    "publish/confluent": publishing.confluent,
    "publish/feed": publishing.feed,
    "subscribe/govbus": subscribing.govbus,
    "subscribe/aiokafka": subscribing.aiokafka,
    "subscribe/checking": bare.checking,
    "subscribe/faststream": subscribing.faststream,
    "subscribe/faststream-ack": subscribing.faststream_at_least_once,
    "subscribe/resident": subscribing.resident,
    "handler/govbus": subscribing.answering,
    "handler/aiokafka": bare.answering,
    "exactly-once/govbus": subscribing.exactly_once,
    "exactly-once/aiokafka": bare.exactly_once,
    "waiting/govbus": waiting.govbus,
    "waiting/one-by-one": waiting.govbus_one_by_one,
    "waiting/faststream": waiting.faststream,
    "waiting/no-wait": subscribing.govbus,
    "await/govbus": publishing.one_by_one,
    "await/aiokafka": publishing.aiokafka_one_by_one,
    "latency/publish/govbus": open_loop.publish_by_govbus,
    "latency/publish/aiokafka": open_loop.publish_by_aiokafka,
    "latency/read/govbus": open_loop.read_by_govbus,
    "latency/read/aiokafka": open_loop.read_by_aiokafka,
}
"""Whoever runs, by name; a reader of an open loop also says when it reads."""

PROFILE_LINES = 15

ROOT = Path(__file__).parents[2]


def main(job_json: str, result_file: str) -> None:
    """Do the job and leave the result."""
    logging.basicConfig(level=logging.ERROR)
    collect_rarely()  # as `govbus run`, for every contestant alike
    job, path = Job.from_json(job_json), Path(result_file)
    contestant = CONTESTANTS[job.contestant]
    if job.contestant.startswith("latency/read/"):
        contestant = partial(contestant, ready=ReadySignal(path.with_suffix(".ready")))
    result = _profiled(contestant, job) if job.profile else _run(contestant, job)
    path.write_bytes(replace(result, load=os.getloadavg()[0]).to_json())


def _run(contestant: Contestant, job: Job) -> Result:
    answer = contestant(job)
    if inspect.iscoroutine(answer):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            answer = runner.run(answer)
    return answer  # type: ignore[no-any-return]  # the table above holds both sorts of function


def _profiled(contestant: Contestant, job: Job) -> Result:
    profile = cProfile.Profile()
    result: Result = profile.runcall(_run, contestant, job)
    costs = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # typeshed does not know it
    lines = [(round(own, 3), calls, _name(*place)) for place, (_, calls, own, _, _) in costs.items()]
    lines.sort(reverse=True)
    result.profile.extend(lines[:PROFILE_LINES])
    return result


def _name(file: str, line: int, function: str) -> str:
    if file == "~":
        return function
    path = Path(file)
    if path.parts[-2:] == ("asyncio", "runners.py"):
        return "the event loop's own C code, waiting included"
    if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
        return f"{path.relative_to(ROOT)}:{line} {function}"
    return f"{'/'.join(path.parts[-3:])}:{line} {function}"


if __name__ == "__main__":
    main(*sys.argv[1:])
