"""The data of an event as typed models of a program, made by generators of others.

Python: pydantic models by `datamodel-code-generator`, the extra `models`. TypeScript: interfaces by the npm
package `json-schema-to-typescript`. Both read one schema in draft-07, each part of which has a name.

Law: a model of a subscription has the granted fields and no others. What the reader's schema accepts fits the
model; so a field that a newer minor version adds is ignored. The contract says more than a model can.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import deque
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from contracts.contract import ContractVersion
from contracts.errors import ContractError
from contracts.publish.exports.draft7 import InexpressibleError, as_draft_07
from contracts.publish.exports.titles import Titles, inside
from contracts.schema.dialect import DRAFT_07, Schema
from contracts.schema.projection import project

TYPESCRIPT_PROGRAM: Final = "json2ts"
_TYPED_FORMATS: Final = frozenset({"date", "date-time", "uuid"})
"""Those with a type of Python that gives back the text; others would need packages, or alter it."""
_OF_TEXTS: Final = ("minLength", "maxLength", "pattern")
_VALUES: Final = ("enum", "const", "default")
_NAMED: Final = ("properties", "patternProperties", "dependencies")
_CLASSES: Final = frozenset({"properties", "patternProperties", "enum", "oneOf", "anyOf", "allOf"})
_OF_ITEMS: Final = ("type", "format", "const", "items", "$ref")
"""What is kept of items that are no objects: with more, each would become a class of one field."""
_TOLD: Final = ("description", "examples", "title")
_TIMEOUT_SECONDS: Final = 120

Place = tuple[str, str]
"""A document by its `$id`, empty for the schema itself, and a JSON pointer in it."""


def model_schema(version: ContractVersion, fields: Iterable[str] = ("$",)) -> dict[str, Any]:
    """The data of a version as one schema in draft-07, each part of it with a title of its own.

    Args:
        version: The version.
        fields: The paths that a reader may read; `$` is everything.

    Raises:
        ContractError: A reference of the schema cannot be followed by a generator.
    """
    schema, references = project(version.reader_documents, fields)
    try:
        return _Bundle(schema, references, version.contract.title).written()
    except InexpressibleError as error:
        what = f"{version.contract.subject} {version.number}"
        raise ContractError(
            f"Expected a schema that code generators read, got {error} - {what}. Write a `$ref` by `$id` and "
            "JSON pointer"
        ) from None


class _Bundle:
    """A schema with all that it refers to, and nothing else, under `definitions`."""

    def __init__(self, schema: Schema, references: Mapping[str, Schema], title: str) -> None:
        self._documents = {"": schema, **references}
        self._own = str(schema.get("$id", "")).removesuffix("#")
        self._title = title
        self._names: dict[Place, str] = {("", ""): "#"}
        self._waiting: deque[Place] = deque([("", "")])
        self._titles = Titles()

    def written(self) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        root: dict[str, Any] = {}
        while self._waiting:
            place = self._waiting.popleft()
            name = self._names[place].rpartition("/")[2]
            title = self._titles.unique(self._title if name == "#" else f"{self._title} {_last(place)}")
            part = {word: value for word, value in self._part(place).items() if word != "definitions"}
            found = {**inside(part, title, self._titles), "title": title}
            if name == "#":
                root = found
            else:
                parts[name] = found
        return {"$schema": DRAFT_07, **root, **({"definitions": parts} if parts else {})}

    def _part(self, place: Place) -> dict[str, Any]:
        uri, pointer = place
        document: Any = self._documents[uri]
        found = document
        for word in pointer.split("/")[1:]:
            step = word.replace("~1", "/").replace("~0", "~")
            found = found[int(step)] if isinstance(found, list) else found.get(step)
            if found is None:
                raise InexpressibleError("a `$ref` that leads nowhere")
        if not isinstance(found, Mapping):
            return {} if found else {"not": {}}
        dialect = {"$schema": document["$schema"]} if "$schema" in document else {}
        return _plain(as_draft_07({**dialect, **found}, partial(self._target, uri)))

    def _target(self, here: str, reference: str) -> str:
        uri, _, pointer = reference.partition("#")
        uri = here if not uri else "" if uri == self._own else uri
        if uri not in self._documents or (pointer and not pointer.startswith("/")):
            raise InexpressibleError("a `$ref` to an anchor or by a relative address")
        place = uri, unquote(pointer)
        if place not in self._names:
            self._names[place] = f"#/definitions/part-{len(self._names)}"
            self._waiting.append(place)
        return self._names[place]


def _last(place: Place) -> str:
    """The word that names a part: the last of its pointer, or of its document."""
    uri, pointer = place
    return pointer.rpartition("/")[2] or uri.rstrip("/").rpartition("/")[2].rpartition(":")[2]


def _plain(node: Mapping[str, Any]) -> dict[str, Any]:
    """Without examples, and without formats and limits that a generator has no good type for.

    What only refers to a part is that part, not a class of its own.
    """
    match node.get("allOf"):
        case [{"$ref": _, **others} as reference] if not others and node.keys() <= {"allOf", *_TOLD}:
            return {**reference, **({"description": told} if (told := node.get("description")) else {})}
    kept = node.get("format") in _TYPED_FORMATS
    left_out = {"examples", *(_OF_TEXTS if kept else ("format",))}
    return {
        word: value if word in _VALUES else _plain_below(word, value)
        for word, value in node.items()
        if word not in left_out
    }


def _plain_below(word: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) if isinstance(each, Mapping) else each for each in value]
    if not isinstance(value, Mapping):
        return value
    if word in _NAMED:
        return {name: _plain(each) if isinstance(each, Mapping) else each for name, each in value.items()}
    plain = _plain(value)
    if word == "items" and not _CLASSES & plain.keys():
        return {name: plain[name] for name in _OF_ITEMS if name in plain}
    return plain


def python_models(schema: Mapping[str, Any], head: str) -> str:
    """Pydantic models of a schema, as a module.

    Args:
        schema: As `model_schema` makes it.
        head: The comment above.

    Raises:
        ContractError: The generator is not installed.
    """
    try:
        from datamodel_code_generator import generate  # noqa: PLC0415 - an extra
        from datamodel_code_generator.enums import DataModelType, InputFileType  # noqa: PLC0415
        from datamodel_code_generator.format import Formatter, PythonVersion  # noqa: PLC0415
        from datamodel_code_generator.parser import LiteralType  # noqa: PLC0415
    except ImportError as error:
        raise ContractError(
            f"Expected the package `datamodel-code-generator`, got none ({error}) - install the extra "
            '`models`, as by `python -m pip install "govbus[models]"`'
        ) from error
    code = generate(
        json.dumps(schema),
        input_file_type=InputFileType.JsonSchema,
        output_model_type=DataModelType.PydanticV2BaseModel,
        target_python_version=PythonVersion.PY_311,
        custom_file_header=head,
        use_title_as_name=True,
        use_annotated=True,
        field_constraints=True,
        snake_case_field=True,
        allow_population_by_field_name=True,
        enum_field_as_literal=LiteralType.All,
        collapse_root_models=True,
        use_schema_description=True,
        use_field_description=True,
        formatters=[Formatter.BUILTIN],
    )
    return f"{str(code).rstrip()}\n"


def typescript_models(schema: Mapping[str, Any], head: str) -> str:
    """TypeScript interfaces of a schema, as a module.

    Args:
        schema: As `model_schema` makes it.
        head: The comment above.

    Raises:
        ContractError: The generator is not installed, or fails.
    """
    beside = Path("node_modules", ".bin")
    program = shutil.which(TYPESCRIPT_PROGRAM) or shutil.which(TYPESCRIPT_PROGRAM, path=str(beside))
    if program is None:
        raise ContractError(
            f"Expected the program `{TYPESCRIPT_PROGRAM}` on the PATH or in `{beside}`, got none - install "
            "it, as by `npm install --save-dev json-schema-to-typescript`"
        )
    options = [
        "--bannerComment",
        head,
        "--additionalProperties",
        "false",
        "--unreachableDefinitions",
        "false",
    ]
    done = subprocess.run(  # noqa: S603 - the program that the user has installed
        [program, *options],
        input=json.dumps(schema), capture_output=True, text=True, encoding="utf-8",
        timeout=_TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ContractError(f"Expected `{program}` to make models, it failed - {done.stderr.strip()[:300]}")
    return done.stdout
