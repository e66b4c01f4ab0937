"""What the figures were measured on: no name of a host or a user."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = (
    "govbus", "aiokafka", "confluent-kafka", "faststream", "orjson", "jsonschema-rs", "jsonschema", "uvloop",
)  # fmt: skip
CPUINFO = Path("/proc/cpuinfo")


def describe(kafka: str) -> dict[str, str]:
    """Return the machine and the versions that matter.

    Args:
        kafka: which broker it is, in words.
    """
    return {
        "cores": f"{_cores()} ({_processor()})",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}, uvloop",
        "kafka": kafka,
        "libraries": ", ".join(f"{name} {_version(name)}" for name in LIBRARIES),
    }


def load() -> str:
    """Return the load averages of the last one, five and fifteen minutes."""
    return ", ".join(f"{part:.1f}" for part in os.getloadavg())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    if CPUINFO.exists():
        for line in CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
