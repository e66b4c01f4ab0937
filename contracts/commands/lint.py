"""`govbus contracts lint`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click

from contracts.commands.options import (
    REFERENCE_CATALOG,
    catalog_option,
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


def _known(_context: click.Context, _option: click.Parameter, codes: Sequence[str]) -> Sequence[str]:
    known = {rule.code for rule in RULES} - ALWAYS
    for code in codes:
        if code in ALWAYS:
            raise click.BadParameter(f"a catalogue that breaks `{code}` cannot be read: it is always asked")
        if code not in known:
            raise click.BadParameter(f"no rule is called {code!r}{meant(code, known)}")
    return codes


@click.command()
@catalog_option
@click.option(
    "--use", type=click.Choice(get_args(Category)), help="The rules to ask; overrules catalog.yaml."
)
@click.option("--except", "excepted", multiple=True, callback=_known, help="A rule not to ask.")
@click.option("--fix", is_flag=True, help="First mend what needs no judgement.")
@click.option("--write-hashes", is_flag=True, help="First add the SHA-256 of each schema that has none yet.")
@limit_option
@format_option
@failing_plainly
def lint(
    *,
    catalog: Path | None,
    use: Category | None,
    excepted: Sequence[str],
    fix: bool,
    write_hashes: bool,
    limit_to: Sequence[Path],
    form: Format,
) -> None:
    """Check a catalogue. Silent when clean; otherwise one line per finding and exit code 100.

    Which rules are asked says `lint` in the catalogue's `catalog.yaml`; `ls-rules` lists them.
    """
    root = catalog or REFERENCE_CATALOG
    mended = fix_folder(root) if fix else write_hashes_of(root) if write_hashes else ()
    for line in mended:
        click.echo(line, err=True)
    conclude(lint_folder(root, use=use, excepted=excepted), form, root, limit_to)
