"""The first Java that is new enough runs the embedded Kafka."""

from pathlib import Path

import pytest

from bus.embedded.errors import JavaError
from bus.embedded.java import Java, find_java, major_version

OPENJDK_17 = 'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment'


@pytest.mark.parametrize(
    ("text", "major"),
    [
        (OPENJDK_17, 17),
        ('openjdk version "25.0.2" 2026-01-20', 25),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ('java version "1.8.0_292"', 8),
        ("Unable to locate a Java Runtime", None),
        ("", None),
    ],
)
def test_the_feature_version_is_read_from_what_java_prints(text: str, major: int | None) -> None:
    """Old and new spellings of the version are understood; anything else is no Java."""
    assert major_version(text) == major


def test_java_home_comes_before_path_and_path_before_the_package(tmp_path: Path) -> None:
    """The user's own choice wins over what happens to be installed."""
    home, on_path, bundled = (_java(tmp_path / name, 17) for name in ("home", "path", "bundled"))
    both = {"JAVA_HOME": str(home.parent.parent), "PATH": str(on_path.parent)}
    assert find_java(both, lambda: bundled) == Java(home, 17)
    assert find_java({"PATH": str(on_path.parent)}, lambda: bundled) == Java(on_path, 17)
    assert find_java({"PATH": ""}, lambda: bundled) == Java(bundled, 17)


def test_a_java_that_is_too_old_or_broken_is_passed_over(tmp_path: Path) -> None:
    """Java 11 and a launcher that only prints an error do not stop the search."""
    old, bundled = _java(tmp_path / "old", 11), _java(tmp_path / "bundled", 25)
    broken = _program(tmp_path / "broken", "exit 1")
    environ = {"JAVA_HOME": str(old.parent.parent), "PATH": str(broken.parent)}
    assert find_java(environ, lambda: bundled) == Java(bundled, 25)


def test_no_java_is_an_error_that_names_what_was_tried(tmp_path: Path) -> None:
    """The message says what was found and how to get a Java."""
    old = _java(tmp_path / "old", 11)
    environ = {"JAVA_HOME": str(tmp_path / "nowhere"), "PATH": str(old.parent)}
    with pytest.raises(JavaError) as caught:
        find_java(environ, lambda: None)
    expected = (
        "expected Java 17 or newer - JAVA_HOME is no Java; java on PATH is Java 11"
        " - pip install 'govbus[embedded]', or set JAVA_HOME"
    )
    assert str(caught.value) == expected


def _java(home: Path, major: int) -> Path:
    return _program(home, f"echo 'openjdk version \"{major}.0.1\" 2026-01-01' >&2")


def _program(home: Path, body: str) -> Path:
    path = home / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    path.chmod(0o755)
    return path
