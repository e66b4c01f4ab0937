"""Where code may stand, and by what name."""

from tests.architecture.project import ROOMS, ROOT, modules

VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
DOCUMENTS = ("contracts/agencies", "contracts/services", "observability/alerts", "observability/dashboards")


def test_no_module_has_a_vague_name() -> None:
    """A name says what is inside."""
    assert [str(module.path) for module in modules(*ROOMS, "tests") if module.path.stem in VAGUE] == []


def test_a_folder_of_documents_holds_no_code() -> None:
    """Agencies' contracts, services, alerts and dashboards are data."""
    assert [str(path) for folder in DOCUMENTS for path in (ROOT / folder).rglob("*.py")] == []


def test_every_folder_of_modules_is_a_package() -> None:
    """An `__init__.py` at every level, so that no folder is taken for another's."""
    folders = {module.path.parent for module in modules(*ROOMS, "tests")}
    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()] == []
