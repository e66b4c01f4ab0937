"""Reports of findings: for a terminal, a CI system, a code host or a reviewer.

Law: every format reports the same findings. Text, JSON lines, GitHub commands and Markdown are empty when
there are none; JUnit, GitLab and SARIF are still valid files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import quote

import click

from contracts.finding import Finding
from contracts.visible_text import visible, visible_json

Format = Literal["text", "json", "junit", "github", "gitlab", "sarif", "markdown"]

_GITHUB: Final = {"error": "error", "warning": "warning", "note": "notice"}
_HITS: Final = {"incompatible": "breaks", "undecided": "may break", "loss": "loses something"}
_GITLAB: Final = {"error": "major", "warning": "minor", "note": "info"}
_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def write(findings: Sequence[Finding], form: Format, root: Path | None = None) -> str:
    """The report on findings, without a final newline.

    Args:
        findings: In the order of the report.
        form: The format.
        root: The folder of the files; paths are shown relative to the current folder.
    """
    prefix = "" if root is None else os.path.relpath(root).replace(os.sep, "/")
    return _WRITERS[form]([(_shown(prefix, finding.place.file), finding) for finding in findings])


def format_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--format` and, short for `--format json`, `--json`. The command gets `form`."""
    as_json = click.option("--json", "form", flag_value="json", help="The same as `--format json`.")
    forms = click.Choice(get_args(Format))
    return click.option("--format", "form", type=forms, default="text", help="Output format.")(
        as_json(command)
    )


def _shown(prefix: str, file: str) -> str:
    return file if prefix in ("", ".") else f"{prefix}/{file}"


Rows = Sequence[tuple[str, Finding]]


def _text(rows: Rows) -> str:
    return "\n".join(line for file, finding in rows for line in _text_lines(file, finding))


def _text_lines(file: str, finding: Finding) -> Iterator[str]:
    place = replace(finding.place, file=file)
    yield str(replace(finding, place=place))
    yield from (f"    {line}" for line in _proof(finding))


def _proof(finding: Finding) -> Iterator[str]:
    proof = finding.proof
    if proof is None:
        return
    if proof.witness is not None:
        yield f"example event: {visible_json(json.loads(proof.witness))}"
    if proof.old_path is not None or proof.new_path is not None:
        yield visible(f"before: {proof.old_path or 'nothing'}  now: {proof.new_path or 'nothing'}")
    differences = proof.differences[1:] if proof.verdict == "incompatible" else proof.differences
    yield from (visible(f"also: {difference}") for difference in differences)
    hit = [*proof.readers, *(f"publishers of {agency}" for agency in proof.publishers)]
    if hit:
        yield visible(f"{_HITS[proof.verdict]}: {', '.join(hit)}")


def _json(rows: Rows) -> str:
    return "\n".join(visible_json({**finding.as_json(), "file": file}) for file, finding in rows)


def _junit(rows: Rows) -> str:
    failed = sum(finding.severity == "error" for _, finding in rows)
    counts = f'tests="{len(rows)}" failures="{failed}" errors="0" skipped="0"'
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuites name="govbus contracts" {counts}>',
            f'  <testsuite name="govbus contracts" {counts}>',
            *(line for file, finding in rows for line in _junit_case(file, finding)),
            "  </testsuite>",
            "</testsuites>",
        ]
    )


def _junit_case(file: str, finding: Finding) -> Iterator[str]:
    text = escape("\n".join(_text_lines(file, finding)))
    place = f'classname="{escape(visible(file))}" file="{escape(visible(file))}" line="{finding.place.line}"'
    yield f'    <testcase name="{finding.code} {finding.fingerprint}" {place}>'
    if finding.severity == "error":
        what = escape(visible(finding.what))
        yield f'      <failure message="{what}" type="{finding.code}">{text}</failure>'
    else:
        yield f"      <system-out>{text}</system-out>"
    yield "    </testcase>"


def _github(rows: Rows) -> str:
    return "\n".join(_github_line(file, finding) for file, finding in rows)


def _github_line(file: str, finding: Finding) -> str:
    fields = {"file": file, "line": finding.place.line, "col": finding.place.column, "title": finding.code}
    listed = ",".join(f"{name}={_github_escape(visible(str(value)), ':,')}" for name, value in fields.items())
    message = "\n".join([visible(f"{finding.what} - {finding.why} - {finding.how}"), *_proof(finding)])
    return f"::{_GITHUB[finding.severity]} {listed}::{_github_escape(message)}"


def _github_escape(text: str, further: str = "") -> str:
    for letter in f"%\r\n{further}":
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text


def _gitlab(rows: Rows) -> str:
    return visible_json([_gitlab_issue(*row) for row in _numbered(rows)], indent=2)


def _numbered(rows: Rows) -> Iterator[tuple[str, Finding, str]]:
    """Each row with a unique fingerprint, as GitLab drops duplicates."""
    seen: dict[str, int] = {}
    for file, finding in rows:
        count = seen[finding.fingerprint] = seen.get(finding.fingerprint, 0) + 1
        yield file, finding, finding.fingerprint if count == 1 else f"{finding.fingerprint}-{count}"


def _gitlab_issue(file: str, finding: Finding, fingerprint: str) -> dict[str, Any]:
    return {
        "description": f"{finding.what} - {finding.why} - {finding.how}",
        "check_name": finding.code,
        "fingerprint": fingerprint,
        "severity": _GITLAB[finding.severity],
        "location": {"path": file, "lines": {"begin": finding.place.line}},
    }


def _sarif(rows: Rows) -> str:
    rules = {finding.code: finding for _, finding in rows}
    driver = {
        "name": "govbus",
        "rules": [
            {
                "id": code,
                "shortDescription": {"text": finding.why},
                "help": {"text": finding.how},
            }
            for code, finding in sorted(rules.items())
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(file, finding) for file, finding in rows],
    }
    return visible_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _sarif_result(file: str, finding: Finding) -> dict[str, Any]:
    region = {"startLine": finding.place.line, "startColumn": finding.place.column}
    location = {"artifactLocation": {"uri": quote(file)}, "region": region}
    lines = [f"{finding.what} - {finding.why} - {finding.how}", *_proof(finding)]
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "level": finding.severity,
        "message": {"text": "\n".join(lines)},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"govbus/v1": finding.fingerprint},
    }
    return {**result, "properties": finding.proof.as_json()} if finding.proof else result


def _markdown(rows: Rows) -> str:
    if not rows:
        return ""
    head = ["| Where | Rule | What | What to do |", "|---|---|---|---|"]
    return "\n".join([*head, *(_markdown_row(file, finding) for file, finding in rows)])


def _markdown_row(file: str, finding: Finding) -> str:
    place = f"{file}:{finding.place.line}:{finding.place.column}"
    what = "<br>".join(_cell(line) for line in [f"{finding.what} - {finding.why}", *_proof(finding)])
    return f"| {_cell(place)} | `{finding.code}` | {what} | {_cell(finding.how)} |"


def _cell(text: str) -> str:
    shown = escape(visible(text), quote=False).replace("\n", " ")
    return shown.replace("\\", "\\\\").replace("|", "\\|")


_WRITERS: Final[Mapping[str, Callable[[Rows], str]]] = {
    "text": _text,
    "json": _json,
    "junit": _junit,
    "github": _github,
    "gitlab": _gitlab,
    "sarif": _sarif,
    "markdown": _markdown,
}


def within(findings: Iterable[Finding], paths: Sequence[Path], root: Path) -> list[Finding]:
    """The findings at or below the paths; all of them when there are no paths."""
    wanted = [path.resolve() for path in paths]
    return [
        finding
        for finding in findings
        if not wanted or any((root / finding.place.file).resolve().is_relative_to(path) for path in wanted)
    ]
