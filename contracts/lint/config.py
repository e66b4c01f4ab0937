"""`catalog.yaml` at a catalogue's root, which may be absent: which rules are asked, and where not.

```yaml
lint:
  use: STANDARD                                      # MINIMAL, BASIC or STANDARD
  except: [property-name-case]                       # never asked
  ignore: {string-bounded: [agencies/land-registry]} # not asked of these files and folders
breaking:
  except: [] # and `ignore`, as above, by the names of `govbus contracts ls-rules`
```
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from contracts.documents.document import Document, read_yaml
from contracts.errors import DocumentError
from contracts.finding import Category, Finding, Rule
from contracts.names import meant

FILE: Final = "catalog.yaml"

FIELDS: Final = Rule(
    "config-fields",
    "a setting nobody knows is a setting nobody obeys",
    "write the fields that `contracts/README.md` lists for `catalog.yaml`",
    "MINIMAL",
)
RULE_KNOWN: Final = Rule(
    "config-rule-known",
    "an exception for a rule that does not exist hides that the real one is still asked",
    "correct the name; `govbus contracts ls-rules` lists them",
    "MINIMAL",
)
PATH_EXISTS: Final = Rule(
    "config-path-exists",
    "an exception for what is gone waits for the next file of that name",
    "correct the path, from the catalogue's root, or remove it",
    "BASIC",
)
RULES: Final = (FIELDS, RULE_KNOWN, PATH_EXISTS)

_SECTIONS: Final = ("lint", "breaking")


@dataclass(frozen=True, slots=True)
class Exceptions:
    """Where rules are not asked.

    Attributes:
        excepted: The codes of rules that are asked nowhere.
        ignored: By a rule's code, the files and folders it is not asked of, from the catalogue's root.
    """

    excepted: frozenset[str] = frozenset()
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def silences(self, code: str, file: str) -> bool:
        """Whether what a rule finds in a file is not told."""
        return code in self.excepted or any(
            file == path or file.startswith(f"{path}/") for path in self.ignored.get(code, ())
        )


@dataclass(frozen=True, slots=True)
class Config:
    """What `catalog.yaml` says.

    Attributes:
        use: The category of lint rules that are asked; each holds those before it.
        plan: The categories of services that the national plan wants offered (`services.plan`).
        target: The percentage of them that the plan wants offered (`services.target`).
    """

    use: Category = "STANDARD"
    lint: Exceptions = Exceptions()
    breaking: Exceptions = Exceptions()
    plan: tuple[str, ...] = ()
    target: int = 100


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _BreakingShape(_Shape):
    excepted: Annotated[list[str], Field(alias="except")] = []
    ignore: dict[str, list[str]] = {}

    def exceptions(self) -> Exceptions:
        paths = {code: tuple(path.rstrip("/") for path in paths) for code, paths in self.ignore.items()}
        return Exceptions(frozenset(self.excepted), paths)


class _LintShape(_BreakingShape):
    use: Category = "STANDARD"


class _ServicesShape(_Shape):
    plan: list[str] = []
    target: Annotated[int, Field(ge=0, le=100)] = 100


class _ConfigShape(_Shape):
    lint: _LintShape = _LintShape()
    breaking: _BreakingShape = _BreakingShape()
    services: _ServicesShape = _ServicesShape()


def read_config(root: Path, known: Mapping[str, Collection[str]]) -> tuple[Config, tuple[Finding, ...]]:
    """Read `catalog.yaml` of the catalogue at `root`.

    Args:
        root: The catalogue's folder.
        known: The codes of the rules there are, under `lint` and `breaking`; a section left out is unchecked.

    Returns:
        What it says, and what is wrong in it; the default where it is absent or cannot be read.
    """
    if not (root / FILE).exists() and not (root / FILE).is_symlink():
        return Config(), ()
    try:
        document = read_yaml(root, FILE)
        shape = _ConfigShape.model_validate(document.value or {})
    except DocumentError as error:
        return Config(), (error.finding,)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        return Config(), tuple(_fields(document, detail) for detail in details[:100])
    faults = [fault for section in _SECTIONS for fault in _rules(root, document, section, known.get(section))]
    return (
        Config(
            use=shape.lint.use,
            lint=shape.lint.exceptions(),
            breaking=shape.breaking.exceptions(),
            plan=tuple(shape.services.plan),
            target=shape.services.target,
        ),
        tuple(faults),
    )


def _fields(document: Document, detail: ErrorDetails) -> Finding:
    steps = tuple(detail["loc"])
    name = ".".join(str(step) for step in steps) or "the document"
    if detail["type"] == "extra_forbidden":
        what = f"`{name}` is not a known field{meant(str(steps[-1]), _known_fields(steps[:-1]))}"
    else:
        what = f"`{name}`: {detail['msg']}"
    return FIELDS.at(document.place(*steps), what)


def _known_fields(steps: tuple[int | str, ...]) -> list[str]:
    shape: Any = _ConfigShape
    for step in steps:
        shape = shape.model_fields[step].annotation
    return [info.alias or name for name, info in shape.model_fields.items()]


def _rules(root: Path, document: Document, section: str, known: Collection[str] | None) -> Iterator[Finding]:
    said = (document.value or {}).get(section) or {}
    named = [(("except", index), code) for index, code in enumerate(said.get("except", ()))]
    named += [(("ignore", code), code) for code in said.get("ignore", ())]
    for steps, code in named:
        if known is not None and code not in known:
            what = f"`{code[:80]}` is no rule of {section}{meant(code, known)}"
            yield RULE_KNOWN.at(document.place(section, *steps), what)
    for code, paths in said.get("ignore", {}).items():
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
