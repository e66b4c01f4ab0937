"""One contract, two schemas: the writer's is closed, the reader's is open.

Law: what the writer's schema accepts, the reader's accepts too; and a field that a version adds as optional
is neither sent by those who do not know it nor refused by them.

`closed` refuses undeclared properties wherever an object declares `properties` and says nothing about others.
Where the declarations of one object are spread over `allOf`, `anyOf`, `$ref` and the like, no part is closed
by itself (it would refuse what its neighbour declares): the object is closed as a whole, in 2020-12 by
`unevaluatedProperties`; draft-07 has no such keyword, so every name that any part declares stays allowed.
`opened` lifts `additionalProperties: false` and `unevaluatedProperties: false` of objects that declare
`properties`; alternatives that speak of objects become `anyOf`, because open ones may overlap.

Left as written: what stands under `not`, `if` and `contains`, with all it refers to, because a stricter
schema there makes a laxer whole; a property that several parts of one object each declare as an object; and
objects behind `$dynamicRef` or a reference that leads nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.schema.dialect import Schema
from contracts.schema.object_parts import Node, Parts

Documents = Mapping[str, Schema]
Rewritten = tuple[dict[str, Any], dict[str, Any]]
"""A schema, and the documents it refers to by their `$id`."""


def closed(schema: Schema, references: Documents | None = None) -> dict[str, Any]:
    """The writer's schema: only what is declared may be sent."""
    return closed_and_opened(schema, references or {})[0][0]


def opened(schema: Schema, references: Documents | None = None) -> dict[str, Any]:
    """The reader's schema: what is not declared is ignored."""
    return closed_and_opened(schema, references or {})[1][0]


def closed_and_opened(schema: Schema, references: Documents) -> tuple[Rewritten, Rewritten]:
    """The writer's and the reader's schema, each with the documents it refers to."""
    parts = Parts(schema, references)
    return parts.rewrite(_close), parts.rewrite(_open)


def _close(parts: Parts, node: Node, written: dict[str, Any]) -> None:
    if not parts.is_whole(node) or not parts.declares(node) or parts.is_stated(node):
        return
    heirs = parts.heirs(node)
    if heirs and all(parts.is_whole(heir) or not parts.declares(heir) for heir in heirs):
        return  # closed where it leads to
    if parts.is_plain(node):
        written["additionalProperties"] = False
    elif node.document.is_draft_07:
        _close_by_names(parts, node, written)
    else:
        written["unevaluatedProperties"] = False


def _close_by_names(parts: Parts, node: Node, written: dict[str, Any]) -> None:
    if "$ref" in written:  # it hides its neighbours in draft-07
        written["allOf"] = [{"$ref": written.pop("$ref")}]
    names, patterns = parts.names(node)
    own = written.get("properties", {})
    written["properties"] = {**own, **{name: True for name in names if name not in own}}
    if patterns:
        own = written.get("patternProperties", {})
        written["patternProperties"] = {**own, **{text: True for text in patterns if text not in own}}
    written["additionalProperties"] = False


def _open(parts: Parts, node: Node, written: dict[str, Any]) -> None:
    if parts.declares(node):
        for keyword in ("additionalProperties", "unevaluatedProperties"):
            if written.get(keyword) is False:
                del written[keyword]
    if "oneOf" in written and parts.speaks_of_objects(node):
        branches = written.pop("oneOf")
        if "anyOf" in written:
            written["allOf"] = [*written.get("allOf", ()), {"anyOf": branches}]
        else:
            written["anyOf"] = branches
