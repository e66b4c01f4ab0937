"""What no committed file says, and which names stand in one file only."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.project import ROOMS, Module, committed_files, modules

# Spelt apart, so that this file does not say them either.
REGISTRIES = [
    host.replace(" ", ".")
    for host in (
        "pypi org",
        "files pythonhosted org",
        "repo1 maven org",
        "repo maven apache org",
        "registry npmjs org",
        "static crates io",
        "deb debian org",
        "proxy golang org",
    )
]
# The home of the image's own user is no folder of this machine.
MACHINE_PATH = re.compile(r"(?<![\w.-])/(?:root|work|Users|home/(?!govbus\b))/?\w+")
TELEMETRY = "bus/telemetry.py"
NAMING_CALLS = re.compile(r"(create_\w*(counter|histogram|gauge)|start_(as_current_)?span|set_attribute)$")


def test_no_file_names_a_registry() -> None:
    """The project installs from any mirror, so it knows none."""
    assert [f"{path}: {host}" for path, text in _texts() for host in REGISTRIES if host in text] == []


def test_no_file_names_a_folder_of_a_machine() -> None:
    """What is true on one machine only is not committed."""
    wrong = [f"{path}: {found[0]}" for path, text in _texts() if (found := MACHINE_PATH.search(text))]
    assert wrong == []


def test_spans_and_metrics_are_named_in_one_file() -> None:
    """Elsewhere a name is imported, never written."""
    wrong = [
        f"{module.path}:{line} writes {name}"
        for module in modules(*ROOMS)
        if module.path.as_posix() != TELEMETRY
        for line, name in _written_names(module)
    ]
    assert wrong == []


def _written_names(module: Module) -> Iterator[tuple[int, str]]:
    for node in module.nodes:
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.startswith("messaging.")
        ):
            yield node.lineno, node.value
        if isinstance(node, ast.Call) and node.args and NAMING_CALLS.search(ast.unparse(node.func)):
            name = node.args[0]
            if isinstance(name, ast.Constant | ast.JoinedStr):
                yield node.lineno, ast.unparse(name)


def _texts() -> Iterator[tuple[str, str]]:
    for path in committed_files():
        try:
            yield str(path), path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # a picture or an archive says nothing
