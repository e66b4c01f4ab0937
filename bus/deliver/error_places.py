"""Where a handler's error comes from, without what it says: its text may quote somebody's data."""

import sysconfig
from pathlib import Path
from traceback import walk_tb
from types import TracebackType

from bus.rooms import HOME, ROOMS

_OURS = tuple(f"{HOME / room}/" for room in ROOMS)
_LIBRARIES = tuple(
    {f"{Path(sysconfig.get_path(name)).resolve()}/" for name in ("stdlib", "purelib", "platlib")}
)
_DEEPEST = 5


def place_of(error: BaseException) -> str:
    """Return `file:line` of the innermost frame of the agency's own, or nothing if there is none.

    The file is told from the working directory, if it is below that, else by its name.
    """
    own = ""
    for frame, line in walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if not file.startswith((*_OURS, *_LIBRARIES, "<frozen")):
            own = f"{_shown(file)}:{line}"
    return own


def _shown(file: str) -> str:
    path = Path(file)
    try:
        return str(path.relative_to(Path.cwd()))
    except (OSError, ValueError):  # elsewhere, or the working directory was removed
        return path.name


def without_values(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """Return what a log takes as an error: classes and frames of it and of what caused it, without texts."""
    hidden = _hidden(error)
    return type(hidden), hidden, error.__traceback__


def _hidden(error: BaseException, depth: int = 0) -> BaseException:
    kind = type(error)
    made = type(kind.__qualname__, (Exception,), {"__module__": kind.__module__, "__str__": _says_nothing})()
    assert isinstance(made, BaseException)  # noqa: S101 - by its base
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth < _DEEPEST:
        made.__cause__ = _hidden(cause, depth + 1).with_traceback(cause.__traceback__)
    return made


def _says_nothing(_error: BaseException) -> str:
    return "its text is hidden, since it may quote data"
