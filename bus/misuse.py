"""Calls of the bus with arguments that they do not take, told so that their program can be mended.

Law of this file: what is told names arguments of the bus and places in code, never a value or a name that may
have come from data.
"""

import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

ROOMS = ("bus", "contracts", "connectors", "observability")
_HOME = Path(__file__).parents[1]
_CALL = re.compile(
    r"(?P<call>[A-Za-z_][\w.]*)\(\) (?P<fault>missing |got an unexpected |got multiple values |takes )"
)
_NAME = re.compile(r"'(\w+)'")


class WrongArgumentError(TypeError):
    """An argument of a call of the bus is none that it takes; the text quotes no value."""


def misuse(error: BaseException) -> str | None:
    """Return how a call of the bus was wrong; None if neither the error nor one of its group says that."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(misuse, error.exceptions)), None)
    if isinstance(error, WrongArgumentError):
        return str(error)
    found = _CALL.match(str(error)) if type(error) is TypeError else None
    called = None if found is None else _ours(found["call"])
    if found is None or called is None:
        return None
    names = list(inspect.signature(called).parameters)
    named = _NAME.findall(str(error))
    is_known = bool(named) and set(named) <= set(names)
    call = re.sub(r"\.__\w+__$", "", found["call"]).rpartition(".")[2]
    match found["fault"].split():
        case ["missing"] if is_known:
            what = f"Expected {_listed(named)}, got none"
        case ["got", "multiple", "values"] if is_known:
            what = f"Expected {_listed(named)} once, got it twice"
        case ["got", "an", "unexpected"]:
            what = f"Expected an argument of the call, got {known_or_another(named, names)}"
        case ["takes"]:
            what = "Expected fewer positional arguments, got more"
        case _:
            return None
    return f"{what} - in a call of `{call}`{_where(error)}. It takes {_listed(_given(called))}"


def known_or_another(given: Iterable[str], known: Iterable[str]) -> str:
    """Return the names that are slips of known ones, and of the others only that there are some. Pure."""
    names = list(known)
    slips = [name for name in given if get_close_matches(name, names)]
    return _listed(slips) or "another"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _given(called: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(called).parameters if name not in ("self", "cls", "_cls")]


def _ours(call: str) -> Callable[..., Any] | None:
    """Return the function of the bus that has a qualified name; None if there is none.

    A function outside a class is ours if its room's root has it: an agency's own may have the name of others.
    """
    first, *rest = call.split(".")
    for module in list(sys.modules.values()):
        if module.__name__.partition(".")[0] not in ROOMS or not _is_of_the_house(module):
            continue
        found = getattr(module, first, None)
        if not rest and not isinstance(found, type) and first not in _surface(module):
            continue
        if getattr(found, "__module__", None) == module.__name__:
            for name in rest:
                found = getattr(found, name, None)
            if callable(found):
                function: Callable[..., Any] = found
                return function
    return None


def _surface(module: ModuleType) -> Sequence[str]:
    return getattr(sys.modules[module.__name__.partition(".")[0]], "__all__", ())


def _is_of_the_house(module: ModuleType) -> bool:
    """Whether a module is what its name says, and not an agency's own of that name."""
    return _HOME in Path(getattr(module, "__file__", None) or "/").parents


def placed(name: str, file: str, line: int | None) -> str:
    """Return the end of a sentence that says where something is: function, file and line, without folders."""
    return f" at `{name}`, {Path(file).name}:{line}"


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return placed(frames[-1].name, frames[-1].filename, frames[-1].lineno) if frames else ""
