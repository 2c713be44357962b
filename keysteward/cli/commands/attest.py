"""`keysteward attest`: notes a review in the source, so that a review is a commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from keysteward.cli.options import StackOption
from keysteward.cli.source.declarations import change, find_places, project_files
from keysteward.cli.source.places import Edit, Place, relative, written
from keysteward.cli.terminal import show
from keysteward.cli.time_options import day_of
from keysteward.core.declare.spec import Spec
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import DeclarationError
from keysteward.operations.loading import load_stack, module_name
from keysteward.operations.project import unknown_name
from keysteward.report.text.plain import line

REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True)
class _Review:
    """One review to note: where, and the edit; None when that day stands there already."""

    name: str
    place: Place
    line: int
    before: str
    edit: Edit | None


def command(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Credentials that were reviewed.")],
    *,
    stack: StackOption = None,
    on: Annotated[
        datetime | None,
        typer.Option("--on", metavar="DATE", formats=["%Y-%m-%d"], help="Day of the review. Default: today (UTC)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be changed.", show_default=False)] = False,
) -> None:
    """Renew the review date (`reviewed`) of credentials in the files that declare them; change nothing else.

    See before whether it is still needed as it is: `keysteward show NAME`. All names are changed, or none: it is
    refused where a name is declared by a computed call, in two places, or not as the stack reads it.

    Exit code 0: noted, or it stood there already; 1: an error, and nothing was changed.
    """
    today = datetime.now(UTC).date()
    day = day_of("--on", on) if on is not None else today
    if day > today:
        raise DeclarationError(f"--on: {day} is still to come; a review is noted once it was done")
    loaded = load_stack(stack)
    specs = _specs(loaded, names)
    places = find_places(project_files(Path.cwd(), module_name(stack, Path.cwd())), [spec.name for spec in specs])
    reviews, refused = [], []
    for spec in specs:
        try:
            reviews.append(_review(spec, places.get(spec.name), day))
        except DeclarationError as error:
            refused.append(error.message)
    if refused:
        raise DeclarationError("\n".join(refused))
    edits = [review.edit for review in reviews if review.edit is not None]
    if not dry_run:
        change(edits)
    show(_lines(reviews, day, dry_run=dry_run))


def _specs(stack: Stack, names: Sequence[str]) -> list[Spec]:
    """Return the declared credentials of these names, each once. Raises DeclarationError for a name nobody declares."""
    found = {}
    for name in names:
        identity = name if name.startswith(f"{stack.identity}/") else f"{stack.identity}/{name}"
        if identity not in stack.specs:
            raise unknown_name(identity, stack.specs)
        found[identity] = stack.specs[identity]
    return list(found.values())


def _review(spec: Spec, place: Place | None, day: date) -> _Review:
    """Return the edit that notes a review. Raises DeclarationError where it is not certain what would change."""
    if place is None:
        raise DeclarationError(f"{spec.name}: no declaration says this name in the source; write reviewed= by hand")
    where = f"{relative(place.file, Path.cwd())}, line {place.line}"
    doubt = place.why or _differs(spec, place)
    if doubt:
        raise DeclarationError(f"{spec.name}: {where}: {doubt}; write reviewed by hand")
    new = written(place, day)
    value = place.values.get(REVIEWED)
    if value is not None:
        edit = Edit(place.file, value.span, value.literal, _quoted(value.literal, new), "reviewed")
        same = spec.reviewed == day
        return _Review(spec.name, place, value.line, str(spec.reviewed), None if same else edit)
    add = place.insertion
    if add.why:
        raise DeclarationError(f"{spec.name}: {where}: {add.why}, or write reviewed by hand")
    text = f"{add.before}{new}{add.after}".encode()
    line_ = place.file.read_bytes()[: add.at].count(b"\n") + 1 + add.before.count("\n")
    return _Review(spec.name, place, line_, "", Edit(place.file, (add.at, add.at), b"", text, "reviewed"))


def _differs(spec: Spec, place: Place) -> str:
    """Say what at a place is not as the stack reads it: then something else declares the name."""
    owner, value = place.values.get("owner"), place.values.get(REVIEWED)
    if owner is not None and not owner.why and owner.text != spec.owner:
        return f"its owner reads {owner.text!r} there, and the stack says {spec.owner!r}"
    if value is not None and value.why:
        return f"its review {value.why}"
    said = None if spec.reviewed is None else written(place, spec.reviewed)
    there = None if value is None else value.text
    return "" if said == there else "its review is not what the stack says"


def _quoted(literal: bytes, text: str) -> bytes:
    quote = literal[:1] if literal[:1] in {b'"', b"'"} else b""
    return quote + text.encode() + quote


def _lines(reviews: Sequence[_Review], day: date, *, dry_run: bool) -> Iterator[Text]:
    for review in reviews:
        where = f"{relative(review.place.file, Path.cwd())}:{review.line}"
        if review.edit is None:
            yield line(f"  {where}: {review.name} is noted as reviewed on {day} already")
            continue
        before = f" (before: {review.before})" if review.before else ""
        verb = "would be" if dry_run else "is"
        yield line(("✓ ", "green"), f"{where}: {review.name} {verb} noted as reviewed on {day}{before}")
    if any(review.edit is not None for review in reviews) and not dry_run:
        yield line("commit the change and have it reviewed")
