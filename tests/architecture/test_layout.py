"""Where code may stand, and by what name."""

from tests.architecture.project import ROOMS, ROOT, committed_files, modules

VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
DOCUMENTS = ("contracts/agencies", "contracts/services", "observability/alerts", "observability/dashboards")

TOP = {
    *ROOMS, "tests", "pyproject.toml", "README.md", "docker-compose.yml",
    "Makefile", "LICENSE", "CHANGELOG.md", "requirements.lock",
}  # fmt: skip


def test_the_top_holds_nothing_but_what_is_agreed() -> None:
    """One sees at once what there is. Other files belong in a room or in a folder with a dot."""
    found = {path.relative_to(ROOT).parts[0] for path in committed_files()}
    assert {name for name in found if not name.startswith(".")} == TOP


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
