"""Who may import whom: rooms look one way, and only through each other's root."""

from collections.abc import Iterator

from tests.architecture.project import ROOMS, ROOT, Module, modules

MAY_IMPORT = {
    "bus": {"contracts"},
    "connectors": {"bus", "contracts"},
    "contracts": set(),
    "observability": {"bus", "contracts"},
}
KAFKA_CLIENTS = {"aiokafka", "faststream"}
TESTING = "bus.testing"


def test_rooms_look_one_way() -> None:
    """`connectors -> bus -> contracts` and `observability -> bus -> contracts`; nothing back or across."""
    wrong = [
        f"{module.path}:{line} imports {name}"
        for module in modules(*ROOMS)
        for line, name, _ in module.imports
        if (room := name.partition(".")[0]) in ROOMS
        and room != module.room
        and room not in MAY_IMPORT[module.room]
    ]
    assert wrong == []


def test_another_room_is_entered_by_its_root() -> None:
    """`from bus import Bus`, never a module in it; testing modules may use `bus.testing`."""
    assert [place for module in modules(*ROOMS) for place in _side_doors(module)] == []


def _side_doors(module: Module) -> Iterator[str]:
    for line, name, what in module.imports:
        room = name.partition(".")[0]
        if room not in ROOMS or room == module.room:
            continue
        if name == TESTING and module.path.name == "testing.py":
            continue
        if name != room or (what is not None and _is_module(room, what)):
            yield f"{module.path}:{line} imports {name}{f'.{what}' if what else ''}"


def _is_module(room: str, name: str) -> bool:
    return (ROOT / room / f"{name}.py").exists() or (ROOT / room / name).is_dir()


def test_only_one_folder_knows_the_kafka_clients() -> None:
    """Outside `bus/kafka` nobody imports aiokafka or FastStream."""
    wrong = [
        f"{module.path}:{line} imports {name}"
        for module in modules(*ROOMS)
        for line, name, _ in module.imports
        if name.partition(".")[0] in KAFKA_CLIENTS and module.path.parts[:2] != ("bus", "kafka")
    ]
    assert wrong == []


def test_nobody_imports_the_tests() -> None:
    """What ships does not need what checks it."""
    wrong = [
        f"{module.path}:{line}"
        for module in modules(*ROOMS)
        for line, name, _ in module.imports
        if name.partition(".")[0] == "tests"
    ]
    assert wrong == []
