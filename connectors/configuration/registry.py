"""Connectors by name: entry points of the group `govbus.connectors`, or a dotted path `module:Class`."""

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from connectors.errors import ConfigurationError
from connectors.translation.codes import suggestion

GROUP = "govbus.connectors"
_METHODS = ("connect", "read", "write", "check", "close")


@dataclass(frozen=True, slots=True)
class ConnectorType:
    """A connector that a file may name.

    Attributes:
        name: As the file writes it.
        kind: Whether it brings records or takes events.
        implementation: Its class, made as `implementation(options)`.
    """

    name: str
    kind: Literal["source", "sink"]
    implementation: Any

    @property
    def options(self) -> Any:
        """The pydantic model of its options."""
        return self.implementation.Options

    @property
    def brings_events(self) -> bool:
        """Whether it is a source whose records are events already."""
        return self.kind == "source" and bool(getattr(self.implementation, "brings_events", False))

    @property
    def guarantee(self) -> str:
        """What it promises, in one sentence."""
        return str(getattr(self.implementation, "guarantee", ""))

    @property
    def description(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.implementation) or "").partition("\n")[0]


def connector_named(name: str) -> ConnectorType:
    """The connector of a name.

    Raises:
        ConfigurationError: There is none, or it cannot be loaded, or it does not keep the promise.
    """
    if ":" in name:
        return _connector_type(name, imported(name))
    points = _points()
    if name not in points:
        raise ConfigurationError(
            f"no connector `{name}`",
            "it is neither installed nor a path module:Class",
            suggestion(name, points),
        )
    return _connector_type(name, _loaded(points[name]))


def connectors_available() -> list[ConnectorType]:
    """Every installed connector, by name.

    Raises:
        ConfigurationError: One of them cannot be loaded.
    """
    return [_connector_type(name, _loaded(point)) for name, point in _points().items()]


def imported(path: str) -> Any:
    """What a dotted path `module:name` names.

    Raises:
        ConfigurationError: There is no such module, or no such name in it.
    """
    module, _, name = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"`{path}` cannot be imported",
            type(error).__name__,
            "write module:name, and install the module or put its folder on PYTHONPATH",
        ) from None
    return found


@cache  # a look at every package that is installed: 7 ms, for each connector of a file
def _points() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"connector `{point.name}` cannot be loaded",
            f"{type(error).__name__} in {point.value}",
            "install what it needs",
        ) from None


def _connector_type(name: str, implementation: Any) -> ConnectorType:
    kind: Literal["source", "sink"] | None = None
    if callable(getattr(implementation, "read", None)):
        kind = "source"
    elif callable(getattr(implementation, "write", None)):
        kind = "sink"
    if kind is None or not hasattr(implementation, "Options"):
        raise ConfigurationError(
            f"`{name}` is no connector",
            "it has no `Options`, or neither `read` nor `write`",
            "see the promises in connectors/source.py and connectors/sink.py",
        )
    for method in _METHODS:
        function = getattr(implementation, method, None)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(
                f"`{method}` of `{name}` is a generator",
                "calling it runs nothing",
                "remove its `yield`",
            )
    return ConnectorType(name, kind, implementation)
