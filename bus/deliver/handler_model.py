"""The type as which a handler takes the data, and whether the granted fields are enough for it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bus.errors import NotGrantedError
from contracts import GrantedFields, render_path


@dataclass(frozen=True, slots=True)
class HandlerModel:
    """The type as which a handler takes the data.

    Attributes:
        adapter: Makes it of the data.
        place: The parameter and its handler, for messages.
    """

    adapter: TypeAdapter[Any]
    place: str

    def require_enough(self, fields: Sequence[str], topic: str) -> None:
        """Check that it takes data of some fields alone.

        Args:
            fields: the paths of the granted fields.
            topic: what is read.

        Raises:
            NotGrantedError: it needs another one, which is named.
        """
        if needed := self.needs_beyond(GrantedFields(fields)):
            shown = ", ".join(f"`{path}`" for path in needed)
            raise NotGrantedError(
                f"Expected a model that is content with the granted fields ({', '.join(fields)}), got one "
                f"that needs {shown} too - {self.place}, which reads `{topic}`. Give it a default, or ask "
                "for it in `fields` of the grant"
            )

    def needs_beyond(self, granted: GrantedFields) -> list[str]:
        """Return the paths of the fields without which it takes no data, and which are not granted."""
        given = granted.skeleton()
        try:
            self.adapter.validate_python(given)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_context=False, include_input=False)
            return [render_path(fault["loc"]) for fault in faults if _is_missing(fault["loc"], given)]
        except Exception:  # noqa: BLE001 - a validator of the model's own, which expects its data
            return []
        return []


def _is_missing(place: tuple[int | str, ...], given: Any) -> bool:
    """Whether a fault is about a name that an object of the data does not have.

    Anything else is about the nulls of the skeleton, or names a branch of a union, of which another may fit.
    """
    for step in place[:-1]:
        is_there = isinstance(given, dict) and step in given
        if not is_there and not (isinstance(given, list) and step == 0):
            return False
        given = given[step]
    return bool(place) and isinstance(given, dict) and place[-1] not in given
