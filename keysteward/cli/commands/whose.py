"""`keysteward whose`: traces a leaked secret to its credential by fingerprint, and finds known secrets in texts."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from keysteward.cli.options import JsonOption, StackOption
from keysteward.cli.terminal import say, show, show_json
from keysteward.core.audit.trace import Trace, other_keys, traces
from keysteward.core.contract.ports import LedgerStore, Stored
from keysteward.core.declare.owners import Owners
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import AccessDenied, DeclarationError, KeystewardError, Unavailable
from keysteward.core.identity import in_stack
from keysteward.core.observe.snapshot import LEDGERS, SERVER_KIND
from keysteward.core.record.ledger import Ledger, load_ledger
from keysteward.operations.loading import load_stack, stack_names
from keysteward.operations.owners import owners_of
from keysteward.operations.search.files import Sources, search
from keysteward.operations.search.searcher import NOWHERE, Answer, Form, Searcher
from keysteward.operations.session import FingerprintKey, fingerprint_key
from keysteward.report.drift.whose import Found, Place, Search, whose_json, whose_lines

FOUND = 2
"""Exit code when a known secret was found."""

Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FILE|FOLDER]...",
        show_default=False,
        help="What to search. Standard input when nothing is named. Never the value itself.",
    ),
]


def command(paths: Paths = None, *, stack: StackOption = None, as_json: JsonOption = False) -> None:
    """Identify leaked secrets: find known ones in a text, a log or a repository, and say whose they are.

    Reads a value from standard input or a file, never from an argument. Compares fingerprints, those of retired
    generations too; needs the ledger store only. Prints where, never what.

    Exit code 0: nothing known was found; 1: an error, or something could not be searched; 2: found.
    """
    loaded = _load(stack)
    book = _read(loaded)
    sources = Sources(paths or [])
    if not paths and sys.stdin.isatty():
        _ask()
    known = traces(book.ledgers.values(), book.key.id)
    pairs = {f for f, found in known.items() if found[0].generation.method == "private_key_jwt"}
    searcher = Searcher(book.key.key, set(known) - pairs, pairs)
    hits = _collect(search(sources.pieces(), searcher), sources)
    found = _found(loaded, known, hits)
    strangers = other_keys(book.ledgers.values(), book.key.id)
    if strangers:
        book.problems.append(f"{strangers} generations have fingerprints of another key, which cannot be compared")
    problems = (*book.problems, *sources.problems)
    result = Search(loaded.identity, found, sources.files, tuple(sources.left_out), problems)
    for problem in problems:
        say(f"warning: {problem}")
    if as_json:
        show_json(whose_json(result))
    else:
        show(whose_lines(result))
    if found or problems:
        raise typer.Exit(FOUND if found else 1)


def _load(name: str | None) -> Stack:
    """Load the stack; a name that is none is not repeated, since it may be the value."""
    try:
        return load_stack(name)
    except DeclarationError as error:
        if name is None or not str(error).startswith(("--stack", "there is no stack module")):
            raise
    known = ", ".join(stack_names(Path.cwd())) or "there is none in this folder"
    raise DeclarationError(f"--stack names no stack; choose one: {known}. A value must never be an argument")


@dataclass
class _Book:
    """The ledgers of a stack and the key of their fingerprints, as far as they can be read."""

    key: FingerprintKey
    ledgers: dict[str, Ledger]
    problems: list[str]


def _read(stack: Stack) -> _Book:
    """Read with the reader's credential, or where that does not work with the runner's. Nothing is written."""
    try:
        return _read_with(stack, stack.ledgers.as_reader())
    except (AccessDenied, DeclarationError, Unavailable) as error:
        try:
            return _read_with(stack, stack.ledgers)
        except (AccessDenied, DeclarationError, Unavailable):
            raise error from None


def _read_with(stack: Stack, store: LedgerStore) -> _Book:
    key = fingerprint_key(store.read(f"keys/{stack.identity}"), stack.identity)
    book = _Book(key or FingerprintKey("", b""), {}, [])
    documents: Mapping[str, Stored] = store.list(f"{LEDGERS}/{stack.identity}/")
    for name, stored in documents.items():
        if stored.document is None or stored.document.get("kind") == SERVER_KIND:
            continue
        if not in_stack(stack.identity, name.removeprefix(f"{LEDGERS}/")):
            continue
        try:
            book.ledgers[name.removeprefix(f"{LEDGERS}/")] = load_ledger(stored.document, stored.version)
        except KeystewardError as error:
            book.problems.append(f"not compared: {error}")
    return book


def _ask() -> None:
    """Let somebody at a terminal paste a value without showing it."""
    value = typer.prompt("Value (not shown)", hide_input=True, err=True)
    sys.stdin = io.TextIOWrapper(io.BytesIO(value.encode()))


def _collect(answers: Iterable[Answer], sources: Sources) -> dict[tuple[str, Form], list[Place]]:
    """Gather hits by fingerprint and form, each place once, with the lines of a file counted through its pieces."""
    places: dict[tuple[str, Form], dict[Place, None]] = {}
    before: dict[str, int] = {}
    for answer in answers:
        if answer.problem:
            sources.problems.append(f"{answer.name} cannot be read ({answer.problem})")
        for hit in answer.hits:
            line = None if hit.line == NOWHERE else before.get(answer.name, 0) + hit.line + 1
            places.setdefault((hit.fingerprint, hit.form), {})[Place(answer.name, line)] = None
        before[answer.name] = before.get(answer.name, 0) + answer.lines
    return {found: list(at) for found, at in places.items()}


def _found(
    stack: Stack, known: Mapping[str, list[Trace]], hits: Mapping[tuple[str, Form], list[Place]]
) -> tuple[Found, ...]:
    owners = _owners(stack)
    declared = {f"{stack.identity}/{credential.name}": credential.owner for credential in stack.credentials}
    found = []
    for (fingerprint, form), places in hits.items():
        for trace in known[fingerprint]:
            about = trace.ledger.about
            owner = declared.get(trace.ledger.identity) or (about.owner if about is not None else "")
            is_declared = trace.ledger.identity in declared
            found.append(Found(trace, form.value, owner, owners.find(owner), is_declared, tuple(places)))
    return tuple(sorted(found, key=lambda f: (f.trace.ledger.identity, f.trace.generation.number, f.form)))


def _owners(stack: Stack) -> Owners:
    """Return the owners, or none when their file cannot be read: whose a secret is must be told all the same."""
    try:
        return owners_of(stack)
    except KeystewardError as error:
        say(f"warning: {error}")
        return Owners()
