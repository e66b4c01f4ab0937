"""`catalog.yaml` says which rules are asked, and every slip in it is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.lint.config import Config, read_config
from tests.unit.contracts.catalogs import CONTRACT, write

KNOWN = {"lint": ["owner-present", "string-bounded"], "breaking": ["TYPE_NARROWED"]}


def test_a_catalogue_without_settings_has_the_defaults(root: Path) -> None:
    """No file is no fault."""
    assert read_config(root, KNOWN) == (Config(), ())
    assert Config().use == "STANDARD"


def test_what_it_says_is_obeyed(root: Path) -> None:
    """A rule is silenced everywhere, or in a file, or beneath a folder, and nowhere else."""
    write(
        root,
        "catalog.yaml",
        "lint:\n  use: BASIC\n  except: [owner-present]\n  ignore: {string-bounded: [agencies/tax/]}\n"
        "breaking: {except: [TYPE_NARROWED]}\nservices: {plan: [pay-fines], target: 90}\n",
    )
    config, findings = read_config(root, KNOWN)
    assert findings == ()
    assert (config.use, config.plan, config.target) == ("BASIC", ("pay-fines",), 90)
    assert config.lint.silences("owner-present", "agencies/x/agency.yaml")
    assert config.lint.silences("string-bounded", CONTRACT)
    assert not config.lint.silences("string-bounded", "agencies/taxes/agency.yaml")
    assert config.breaking.silences("TYPE_NARROWED", CONTRACT)
    assert not config.breaking.silences("owner-present", CONTRACT)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lint: {exept: [x]}", "1:8:config-fields:`lint.exept` is not a known field; did you mean `except`?"),
        ("lnt: {}", "1:1:config-fields:`lnt` is not a known field; did you mean `lint`?"),
        ("lint:\n  except: [owner-presnt]", "2:12:config-rule-known:`owner-presnt` is not a rule of lint;"),
        ("lint:\n  ignore: {x: []}", "2:12:config-rule-known:`x` is not a rule of lint"),
        ("lint: {ignore: {owner-present: [gone]}}", "1:33:config-path-exists:`gone` is not in the catalogue"),
        ("lint: {ignore: {owner-present: [../..]}}", "1:33:config-path-exists:`../..` is not in the cat"),
        ("lint: {use: EVERYTHING}", "1:8:config-fields:`lint.use`: Input should be 'MINIMAL', 'BASIC'"),
        ("[", "2:1:document-syntax:not YAML"),
        ("a: &a 1", "1:4:document-plain-yaml:an anchor or alias"),
        ("- lint", "1:1:config-fields:the document is not a mapping of fields"),
    ],
)
def test_a_slip_is_told_with_its_place(root: Path, text: str, told: str) -> None:
    """Unknown fields, rules and paths, each with the name that was meant where one is close."""
    write(root, "catalog.yaml", text)
    _, (finding,) = read_config(root, KNOWN)
    place = finding.place
    assert f"{place.line}:{place.column}:{finding.code}:{finding.what}".startswith(told)


def test_a_link_out_of_the_catalogue_is_refused(root: Path) -> None:
    """Settings are part of the catalogue."""
    (root / "catalog.yaml").symlink_to("/nowhere/catalog.yaml")
    _, (finding,) = read_config(root, KNOWN)
    assert finding.code in ("document-outside", "document-missing")
