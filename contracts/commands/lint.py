"""`govbus contracts lint`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click

from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import (
    conclude,
    failing_plainly,
    limit_option,
)
from contracts.documents.fixing import fix as fix_folder
from contracts.documents.fixing import write_hashes as write_hashes_of
from contracts.finding import Category
from contracts.lint.lint import ALWAYS, RULES
from contracts.lint.lint import lint as lint_folder
from contracts.lint.reports import Format, format_option
from contracts.names import meant
from contracts.terminal import say


def _known(_context: click.Context, _option: click.Parameter, codes: Sequence[str]) -> Sequence[str]:
    known = {rule.code for rule in RULES} - ALWAYS
    for code in codes:
        if code in ALWAYS:
            raise click.BadParameter(f"`{code}` always applies: a catalogue that breaks it cannot be read")
        if code not in known:
            raise click.BadParameter(f"there is no rule {code!r}{meant(code, known)}")
    return codes


@click.command()
@catalog_option
@click.option(
    "--use",
    type=click.Choice(get_args(Category)),
    help="The category of rules to apply; overrides catalog.yaml.",
)
@click.option(
    "--except", "excepted", multiple=True, callback=_known, help="A rule to leave out; can be repeated."
)
@click.option("--fix", is_flag=True, help="First fix what can be fixed automatically.")
@click.option("--write-hashes", is_flag=True, help="First record the SHA-256 of each schema that has none.")
@limit_option
@format_option
@failing_plainly
def lint(
    *,
    root: Path,
    use: Category | None,
    excepted: Sequence[str],
    fix: bool,
    write_hashes: bool,
    limit_to: Sequence[Path],
    form: Format,
) -> None:
    """Check a catalogue. Prints nothing when it is clean; otherwise one line per finding, and exits with 100.

    `lint` in `catalog.yaml` selects the rules; `ls-rules` lists them.
    """
    fixed = fix_folder(root) if fix else write_hashes_of(root) if write_hashes else ()
    for line in fixed:
        say(line, err=True)
    conclude(lint_folder(root, use=use, excepted=excepted), form, root, limit_to)
