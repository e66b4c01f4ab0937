"""Environment variables, each of which may stand in a file instead: `NAME_FILE` names the file of `NAME`.

So a secret need be in no process's environment: a container mounts it as a file. One line break at the end of
the file is no part of the value.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from contracts.errors import ProjectError

FILE_SUFFIX = "_FILE"
LARGEST_BYTES = 65_536


class Environment(Mapping[str, str]):
    """The variables of a process, with those that stand in files; a file is read when it is asked for.

    Args:
        variables: the variables; those of this process if absent.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables

    def __getitem__(self, name: str) -> str:
        """Return the value of a variable.

        Raises:
            KeyError: neither `NAME` nor `NAME_FILE` is set.
            ProjectError: both are, or the file cannot be read.
        """
        file = self._variables.get(name + FILE_SUFFIX)
        if not file:
            return self._variables[name]
        if self._variables.get(name):
            raise ProjectError(f"Expected one of {name} and {name}{FILE_SUFFIX}, got both. Unset one of them")
        return _content(Path(file), name + FILE_SUFFIX)

    def __iter__(self) -> Iterator[str]:
        in_files = {name.removesuffix(FILE_SUFFIX) for name in self._variables if name.endswith(FILE_SUFFIX)}
        return iter({*self._variables, *in_files})

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _content(file: Path, variable: str) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = type(error).__name__
        raise ProjectError(
            f"Expected a text file that can be read, got none ({why}) - at {variable}"
        ) from None
    if len(text) > LARGEST_BYTES:
        raise ProjectError(
            f"Expected at most {LARGEST_BYTES} characters, got more - at the file of {variable}"
        )
    return text.removesuffix("\n").removesuffix("\r")
