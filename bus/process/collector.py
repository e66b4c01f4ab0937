"""The garbage collector of a process that is all ours."""

import gc

OBJECTS_BETWEEN_ROUNDS = 50_000


def collect_rarely() -> None:
    """Keep what is loaded out of the garbage collector's rounds, and make these rarer.

    For commands that run for long, once everything is loaded: catalogue and libraries are several hundred
    thousand objects that stay. A program of an agency decides this for itself.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_ROUNDS, *gc.get_threshold()[1:])
