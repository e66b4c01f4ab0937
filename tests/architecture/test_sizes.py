"""A module has one subject and a function fits in view."""

import ast

from tests.architecture.project import ROOMS, ROOT, Module, modules

MODULE_LINES = 400
FUNCTION_LINES = 35
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
DOCUMENTS = ("contracts/agencies", "contracts/services", "observability/alerts", "observability/dashboards")


def test_no_module_is_longer_than_a_subject() -> None:
    """400 lines are the end, 150 the custom."""
    long = [f"{module.path}: {module.lines} lines" for module in _all() if module.lines > MODULE_LINES]
    assert long == []


def test_every_function_fits_in_view() -> None:
    """35 lines are the end, its docstring not counted."""
    long = [
        f"{module.path}:{function.lineno} {function.name}: {length} lines"
        for module in _all()
        for function in module.functions()
        if (length := _length(function)) > FUNCTION_LINES
    ]
    assert long == []


def test_no_module_has_a_vague_name() -> None:
    """A name says what is inside."""
    assert [str(module.path) for module in _all() if module.path.stem in VAGUE] == []


def test_a_folder_of_documents_holds_no_code() -> None:
    """Agencies' contracts, services, alerts and dashboards are data."""
    assert [str(path) for folder in DOCUMENTS for path in (ROOT / folder).rglob("*.py")] == []


def test_every_folder_of_modules_is_a_package() -> None:
    """An `__init__.py` at every level, so that no folder is taken for another's."""
    folders = {module.path.parent for module in _all()}
    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()] == []


def _all() -> tuple[Module, ...]:
    return modules(*ROOMS, "tests")


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    said = 0
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        said = (first.end_lineno or first.lineno) - first.lineno + 1
    return (function.end_lineno or function.lineno) - function.lineno + 1 - said
