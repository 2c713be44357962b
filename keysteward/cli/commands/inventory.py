"""`keysteward inventory`: all credentials there are, whoever made them; of a stack, or of one target without one."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption
from keysteward.cli.target_options import NOT_REPEATED, is_kind, target_from
from keysteward.cli.terminal import console, meanwhile, say, show, show_json
from keysteward.core.contract.facets import key_capabilities
from keysteward.core.declare.owners import Owners as Listed
from keysteward.core.drift.inventory import Inventory
from keysteward.core.errors import DeclarationError
from keysteward.host.output_file import write_output
from keysteward.operations.kinds import target_kinds
from keysteward.operations.loading import stack_names
from keysteward.operations.look import look
from keysteward.operations.meant import meant
from keysteward.report.inventory.entries import inventory_of
from keysteward.report.inventory.first_look import first_look
from keysteward.report.inventory.formats import inventory_csv, inventory_json
from keysteward.report.inventory.page import inventory_page
from keysteward.report.inventory.selection import KINDS as ENTRY_KINDS
from keysteward.report.inventory.selection import NOBODY, Order, Selection, fits_a_kind, is_word
from keysteward.report.inventory.table import inventory_lines, summary_lines

NOBODY_LISTED = Listed()
"""The owners of a first look, which knows of none."""

Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="NAME|KIND",
        help="Only this target of the stack (a pattern). Without a stack: a kind of target, such as keycloak, followed "
        "by the settings of its class as options.",
    ),
]
Owners = Annotated[
    list[str] | None,
    typer.Option("--owner", metavar="NAME", help="Only this owner's (a pattern); `nobody`: those without an owner."),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", help="Only this kind (a pattern): m2m-client, api-key, login-client ..."),
]
Findings = Annotated[
    list[str] | None,
    typer.Option("--finding", metavar="WORD", help="Only what has this finding: a kind, a rule, a severity, or any."),
]
CsvOption = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the list as CSV.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a self-contained HTML page.")]


def command(
    context: typer.Context,
    *,
    stack: StackOption = None,
    target: Targets = None,
    owner: Owners = None,
    kind: Kinds = None,
    finding: Findings = None,
    sort: Annotated[Order, typer.Option("--sort", help="Sort order.")] = Order.NAME,
    all_rows: Annotated[bool, typer.Option("--all", help="Show every row instead of folding long tables.")] = False,
    as_json: JsonOption = False,
    csv: CsvOption = None,
    html: HtmlOption = None,
) -> None:
    """List all credentials: who owns each, how it is scoped, how it is revoked, how old it is, what is wrong with it.

    Of a stack: what is declared, and whatever else its targets hold. Without a stack, a first look at one target:
    --target keycloak --url https://id.example.com --realm prod --reader env:KEYCLOAK_READER. Reads only.

    Exit code 0: listed; 1: an error, or a target that could not be read.
    """
    settings = list(context.args)
    for word in finding or ():
        _a_finding(word)
    if not all(map(fits_a_kind, kind or ())):
        raise DeclarationError(f"--kind takes one of {', '.join(ENTRY_KINDS)}, or a pattern that fits one")
    if settings or _first(stack, target):
        _only_one(context, target)
        found, target, owners = _first_look(str((target or [""])[0]), settings), None, NOBODY_LISTED
    else:
        found, owners = _of_stack(stack)
    selection = Selection(tuple(target or ()), tuple(owner or ()), tuple(kind or ()), tuple(finding or ()), sort)
    _known(selection, found)
    _known_owners(selection, found, owners)
    chosen = selection.of(found)
    _write(chosen, csv, html)
    of = len(found.entries) if selection.narrows else None
    if as_json:
        show_json(inventory_json(chosen))
    else:
        width = console().width
        show(
            summary_lines(chosen, of=of)
            if csv or html
            else inventory_lines(chosen, all_rows=all_rows, of=of, width=width)
        )
    for failure in found.failures if as_json or csv or html else ():
        say(f"error: {failure}")
    if found.failures:
        raise typer.Exit(1)


def _a_finding(word: str) -> None:
    """Refuse a word that no finding has: an empty list would read as a clean one."""
    if not is_word(word):
        raise DeclarationError(
            "--finding takes a kind of finding (docs/findings.md, such as unmanaged), a rule (keysteward explain lists "
            "them), error, warning, note, or any"
        )


def _first(stack: str | None, target: list[str] | None) -> bool:
    """Say whether a first look is meant though it lacks settings: a kind is named, and no stack."""
    here = Path.cwd() / "stacks"
    return stack is None and target is not None and all(map(is_kind, target)) and not here.is_dir()


def _only_one(context: typer.Context, target: list[str] | None) -> None:
    """Refuse settings of a target where none is named, or where a stack is."""
    typed = context.get_parameter_source("stack")
    if target is None or len(target) != 1 or not is_kind(target[0]):
        words = ", ".join(target_kinds())
        raise DeclarationError(
            f"there is no such option, unless --target names one kind ({words}) and its settings follow. {NOT_REPEATED}"
        )
    if typed is not None and typed.name == "COMMANDLINE":
        raise DeclarationError("--stack and the settings of a target do not go together: leave one of them out")


def _known(selection: Selection, inventory: Inventory) -> None:
    """Refuse a target that is not there: an empty list would read as an empty target."""
    there = sorted({entry.target for entry in inventory.entries} | {each.target for each in inventory.coverage})
    if selection.targets and not inventory.failures and not any(map(selection.covers, there)):
        raise DeclarationError(
            f"--target fits none of {', '.join(there) or 'no target'}. For a first look at another one name its kind "
            f"({', '.join(target_kinds())}), and its settings behind it. {NOT_REPEATED}"
        )


def _known_owners(selection: Selection, inventory: Inventory, owners: Listed) -> None:
    """Say of a name that nobody has that it is none: that nobody owns a thing may be just what was asked."""
    known = {NOBODY, *owners.names, *(entry.owner for entry in inventory.entries if entry.owner)}
    for pattern in selection.owners:
        if not any(fnmatchcase(name, pattern) for name in known):
            hint = meant(pattern, known, has="there are", none="")
            say(f"warning: --owner names nobody of whom the stack or its owners file knows; {hint}")


@meanwhile("Looking ...")
def _first_look(kind: str, settings: list[str]) -> Inventory:
    """Observe one target with the reader's rights; there is no key for fingerprints, and none is needed."""
    target = target_from(kind, settings)
    seen = target.observe(None)
    return first_look(seen, target.capabilities, key_capabilities(target), seen.clock or seen.started_at)


def _of_stack(name: str | None) -> tuple[Inventory, Listed]:
    if name is None and not stack_names(Path.cwd()):
        raise DeclarationError(
            f"there is no folder stacks with a stack here: go to the project's folder, or look at one target without "
            f"any: --target KIND with its settings ({', '.join(target_kinds())}); --target keycloak says which it takes"
        )
    opened = open_stack(name, strict=False)
    with meanwhile("Looking at targets, stores and ledgers ..."):
        return inventory_of(look(opened, opened.session("reader"))), opened.owners


def _write(inventory: Inventory, csv: Path | None, html: Path | None) -> None:
    """Write files, each whole or not at all, readable for their owner only: they tell an attacker where to begin."""
    for option, path, text in (("--csv", csv, inventory_csv), ("--html", html, inventory_page)):
        if path is None:
            continue
        write_output(option, path, text(inventory).encode())
        say(f"wrote {path}")
