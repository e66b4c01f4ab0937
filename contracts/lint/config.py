"""The optional `catalog.yaml` at a catalogue's root: which rules apply, and where they do not.

```yaml
lint:
  use: STANDARD                                      # MINIMAL, BASIC or STANDARD
  except: [property-name-case]                       # not applied
  ignore: {string-bounded: [agencies/land-registry]} # not applied to these files and folders
breaking:
  except: [] # and `ignore`, as above, by the names of `govbus contracts ls-rules`
services:
  categories: codes.csv # what a service may be; or a mapping from code to title
```
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, WithJsonSchema

from contracts.documents.categories import CATEGORIES, MOST, read_code_list
from contracts.documents.document import Document, read_yaml
from contracts.documents.shapes import DocumentShape, Line, structure_faults
from contracts.errors import ContractError, DocumentError
from contracts.finding import Category, Finding, Rule
from contracts.names import meant
from contracts.paths import Step

FILE: Final = "catalog.yaml"

FIELDS: Final = Rule(
    "config-fields",
    "an unknown setting has no effect",
    "use only the fields that `contracts/README.md` lists for `catalog.yaml`",
    "MINIMAL",
)
RULE_KNOWN: Final = Rule(
    "config-rule-known",
    "an exception for an unknown rule has no effect",
    "correct the name; `govbus contracts ls-rules` lists all rules",
    "MINIMAL",
)
PATH_EXISTS: Final = Rule(
    "config-path-exists",
    "an exception for a missing file would silently apply to the next file of that name",
    "correct the path, which is relative to the catalogue's root, or remove it",
)
RULES: Final = (FIELDS, RULE_KNOWN, PATH_EXISTS)

_SECTIONS: Final = ("lint", "breaking")


@dataclass(frozen=True, slots=True)
class Exceptions:
    """Where rules do not apply.

    Attributes:
        excepted: Codes of rules that do not apply at all.
        ignored: By rule code, the files and folders it does not apply to, from the catalogue's root.
    """

    excepted: frozenset[str] = frozenset()
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def silences(self, code: str, file: str) -> bool:
        """Whether findings of a rule in a file are not reported."""
        return code in self.excepted or any(
            file == path or file.startswith(f"{path}/") for path in self.ignored.get(code, ())
        )


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in `catalog.yaml`.

    Attributes:
        use: The category of lint rules that apply; each includes those before it.
        plan: The categories of services in the national plan (`services.plan`).
        target: The percentage of the plan that must be covered (`services.target`).
        categories: What a service may be, by code: titles of the catalogue's own list
            (`services.categories`), or those of the United Nations.
    """

    use: Category = "STANDARD"
    lint: Exceptions = Exceptions()
    breaking: Exceptions = Exceptions()
    plan: tuple[str, ...] = ()
    target: int = 100
    categories: Mapping[str, str] = field(default_factory=lambda: CATEGORIES)


class _BreakingShape(DocumentShape):
    excepted: list[str] = Field(default_factory=list, alias="except")
    ignore: dict[str, list[str]] = Field(default_factory=dict)

    def exceptions(self) -> Exceptions:
        paths = {code: tuple(path.rstrip("/") for path in paths) for code, paths in self.ignore.items()}
        return Exceptions(frozenset(self.excepted), paths)


class _LintShape(_BreakingShape):
    use: Category = "STANDARD"


_CODES: Final = TypeAdapter(Annotated[dict[Line, Line], Field(min_length=1, max_length=MOST)])


_CODE_LIST: Final = {"anyOf": [{"type": "string"}, _CODES.json_schema()]}


def _code_list(value: Any) -> Any:
    try:
        return value if isinstance(value, str) else _CODES.validate_python(value, strict=True)
    except ValidationError:
        raise ValueError("expected a CSV file of the catalogue, or a mapping from code to title") from None


class _ServicesShape(DocumentShape):
    plan: list[str] = Field(default_factory=list)
    target: Annotated[int, Field(ge=0, le=100)] = 100
    categories: Annotated[Any, AfterValidator(_code_list), WithJsonSchema(_CODE_LIST)] = None


class ConfigShape(DocumentShape):
    """`catalog.yaml` at the catalogue's root."""

    lint: _LintShape = _LintShape()
    breaking: _BreakingShape = _BreakingShape()
    services: _ServicesShape = _ServicesShape()


def read_config(root: Path, known: Mapping[str, Collection[str]]) -> tuple[Config, tuple[Finding, ...]]:
    """Read `catalog.yaml` of the catalogue at `root`.

    Args:
        root: The catalogue's folder.
        known: All rule codes of `lint` and `breaking`; codes of a section left out are not checked.

    Returns:
        The settings, and findings about them; the defaults when the file is absent or cannot be read.
    """
    if not (root / FILE).exists() and not (root / FILE).is_symlink():
        return Config(), ()
    try:
        document = read_yaml(root, FILE)
        shape = ConfigShape.model_validate(document.value or {})
    except DocumentError as error:
        return Config(), (error.finding,)
    except ValidationError as error:
        return Config(), tuple(structure_faults(document, error, FIELDS, _suggestion))
    faults = [fault for section in _SECTIONS for fault in _rules(root, document, section, known.get(section))]
    own: Mapping[str, str] = {}
    try:
        own = _own_categories(root, shape.services.categories)
    except DocumentError as error:
        faults.append(error.finding)
    except ContractError as error:
        faults.append(FIELDS.at(document.place("services", "categories"), str(error)))
    return (
        Config(
            use=shape.lint.use,
            lint=shape.lint.exceptions(),
            breaking=shape.breaking.exceptions(),
            plan=tuple(shape.services.plan or own),
            target=shape.services.target,
            categories=own or CATEGORIES,
        ),
        tuple(faults),
    )


def _own_categories(root: Path, said: Mapping[str, str] | str | None) -> Mapping[str, str]:
    return read_code_list(root, said) if isinstance(said, str) else said or {}


def _suggestion(steps: tuple[Step, ...]) -> str:
    return meant(str(steps[-1]), _known_fields(steps[:-1]))


def _known_fields(steps: tuple[Step, ...]) -> list[str]:
    shape: Any = ConfigShape
    for step in steps:
        shape = shape.model_fields[step].annotation
    return [info.alias or name for name, info in shape.model_fields.items()]


def _rules(root: Path, document: Document, section: str, known: Collection[str] | None) -> Iterator[Finding]:
    declared = (document.value or {}).get(section) or {}
    named = [(("except", index), code) for index, code in enumerate(declared.get("except", ()))]
    named += [(("ignore", code), code) for code in declared.get("ignore", ())]
    for steps, code in named:
        if known is not None and code not in known:
            what = f"`{code[:80]}` is not a rule of {section}{meant(code, known)}"
            yield RULE_KNOWN.at(document.place(section, *steps), what)
    for code, paths in declared.get("ignore", {}).items():
        for index, path in enumerate(paths):
            if not _lies_in(root, path):
                place = document.place(section, "ignore", code, index)
                yield PATH_EXISTS.at(place, f"`{path[:200]}` is not in the catalogue")


def _lies_in(root: Path, path: str) -> bool:
    try:
        real = (root / path).resolve()
        return real.exists() and real != root.resolve() and real.is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):
        return False
