"""Environment variables in a configuration file, so that no secret is written in it. Pure.

`${ENV:NAME}` in a text stands for the variable NAME. A password or token written out under `source:` or
`sink:` is a finding.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.codes import SECRET_IN_CLEAR, UNSET_VARIABLE
from contracts import Document, Finding

_VARIABLE = re.compile(r"\$\{ENV:([A-Za-z_][A-Za-z0-9_]*)\}")
_PASSWORD_IN_URL = re.compile(r"://[^/@:\s]*:(?!\$\{ENV:)[^/@\s]+@")
_SECRET_NAME = re.compile(r"passw|secret|token|authorization|api[-_]?key", re.IGNORECASE)


def filled_in(value: Any, environment: Mapping[str, str]) -> Any:
    """A document's value with the variables in its texts; one that is not set stands for nothing."""
    if isinstance(value, dict):
        return {name: filled_in(item, environment) for name, item in value.items()}
    if isinstance(value, list):
        return [filled_in(item, environment) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: environment.get(match[1], ""), value)
    return value


def check_environment(document: Document, environment: Mapping[str, str]) -> Iterator[Finding]:
    """What a document has in it that should come from the environment, or takes from it and is not there."""
    for steps, text in _texts(document.value, ()):
        place = document.place(*steps)
        is_option = steps[:1] in {("source",), ("sink",)}
        is_secret = _SECRET_NAME.search(str(steps[-1])) and "${ENV:" not in text if steps else False
        if is_option and (is_secret or _PASSWORD_IN_URL.search(text)):
            yield Finding(
                place,
                SECRET_IN_CLEAR,
                "a secret is written out",
                "files are copied and kept",
                "write ${ENV:NAME} and set the variable NAME",
            )
        for name in _VARIABLE.findall(text):
            if name not in environment:
                what = f"environment variable `{name}` is not set"
                why, how = "the file takes a value from it", f"set {name} before you start"
                yield Finding(place, UNSET_VARIABLE, what, why, how)


def _texts(value: Any, steps: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield steps, value
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, child in children:
        yield from _texts(child, (*steps, step))
