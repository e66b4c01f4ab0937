"""Wall time and processor time of a stretch of work."""

from time import perf_counter, process_time

from tests.benchmarks.job import Result


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter(), process_time()

    def result(self, events: int) -> Result:
        """Return what `events` events took until now."""
        return Result(events, perf_counter() - self._wall, process_time() - self._cpu)
