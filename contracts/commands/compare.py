"""`govbus contracts compare`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from time import perf_counter
from typing import Any, BinaryIO

import click

from contracts.commands.options import FINDINGS, failing_plainly
from contracts.compatibility.verdict import NO_WITNESS, Verdict, decide
from contracts.documents.json_reader import without_duplicates
from contracts.terminal import say_json


@click.command()
@click.option(
    "--pairs",
    type=click.File("rb"),
    required=True,
    help='JSON lines, each {"id", "old", "new", "dialect"?, "remotes"?}; `-` for stdin.',
)
@click.option(
    "--formats",
    type=click.Choice(["annotation", "assertion"]),
    default="annotation",
    show_default=True,
    help="Whether `format` is only an annotation, or also an assertion.",
)
@failing_plainly
def compare(pairs: BinaryIO, formats: str) -> None:
    """Compare pairs of schemas: does the new one accept all that the old one accepts?

    Prints the verdict on each pair as a line of JSON, immediately. Exits with 0 for any verdict, and with
    100 if a line is not a pair; the verdict on such a line is "undecided".
    """
    unread = False
    for line in pairs:
        if not line.strip():
            continue
        started = perf_counter()
        pair = _read(line)
        name = pair.get("id") if isinstance(pair, dict) else None
        verdict = _refusal(pair) or _decided(pair, formats)
        unread = unread or _refusal(pair) is not None
        answer = {"id": name, **_as_json(verdict), "ms": round((perf_counter() - started) * 1000, 3)}
        say_json(answer)
    if unread:
        raise click.exceptions.Exit(FINDINGS)


def _read(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"), object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError):
        return None


def _refusal(pair: Any) -> Verdict | None:
    """The verdict on a line that is not a pair; None for a pair."""
    if not isinstance(pair, dict):
        expected = "Expected a JSON object on one line, each name once, nested less than 1,000 deep."
        return Verdict("undecided", expected)
    if "old" not in pair or "new" not in pair:
        return Verdict("undecided", "Expected `old` and `new` in the line.")
    if not isinstance(pair.get("dialect"), str | None):
        return Verdict("undecided", "Expected `dialect` to be a string.")
    remotes = pair.get("remotes") or {}
    if not isinstance(remotes, dict) or not all(isinstance(one, bool | dict) for one in remotes.values()):
        return Verdict("undecided", "Expected `remotes` to be an object of schemas by URI.")
    return None


def _decided(pair: Mapping[str, Any], formats: str) -> Verdict:
    remotes = pair.get("remotes") or {}
    return decide(
        pair["old"],
        pair["new"],
        dialect=pair.get("dialect"),
        old_references=remotes,
        new_references=remotes,
        assert_formats=formats == "assertion",
    )


def _as_json(verdict: Verdict) -> dict[str, Any]:
    fields: dict[str, Any] = {"verdict": verdict.answer}
    if verdict.witness is not NO_WITNESS:
        fields["witness"] = verdict.witness
    fields["reason"] = verdict.reason
    if verdict.old_path is not None and verdict.new_path is not None:
        fields |= {"old_path": verdict.old_path, "new_path": verdict.new_path}
    return fields
