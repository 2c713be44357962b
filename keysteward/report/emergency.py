"""What a revocation did and what is left, as people and programs read it. Pure.

JSON (`format: 1`): `format`, `stack`, `name`, `identity`, `reason`, `complete` (nothing of what was revoked works any
more), `noted` (in the ledger), `record` (file that holds the word until the ledger does, or null), `disabled[]`
(`target`, `client_id`, `remote_id`, `was_enabled`: what --target found), `done[]` (words of the steps), `ended[]` and
`left[]` (numbers of revoked generations), `working[]` (numbers of the generations that still work), `error` (text or
null).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from keysteward.core.ledger import Generation, Ledger, State
from keysteward.report.plain import line, plain
from keysteward.report.plan import JSON_FORMAT


@dataclass(frozen=True, slots=True)
class Disabled:
    """One client that --target found by our mark."""

    target: str
    client_id: str
    remote_id: str
    was_enabled: bool


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revocation: what was noted where, what was done, and the ledger afterwards (None: out of reach)."""

    stack: str
    identity: str
    reason: str
    ledger: Ledger | None = None
    declared: bool = False
    disabled: tuple[Disabled, ...] = ()
    record: str | None = None
    done: tuple[str, ...] = ()
    error: str = ""

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return self.identity.rsplit("/", 1)[-1]

    @property
    def complete(self) -> bool:
        """Say whether the ledger knows and nothing of what was revoked is left."""
        return self.ledger is not None and not self.error and not self.left

    @property
    def revoked(self) -> tuple[Generation, ...]:
        """Return the generations that are revoked."""
        word = self.ledger.revoked if self.ledger is not None else None
        if self.ledger is None or word is None:
            return ()
        return tuple(g for g in self.ledger.generations if word.covers(g.number))

    @property
    def left(self) -> list[Generation]:
        """Return the revoked generations that have not ended yet."""
        return [g for g in self.revoked if g.state is not State.RETIRED]

    @property
    def working(self) -> list[Generation]:
        """Return the generations that still work, and are meant to."""
        revoked = {g.number for g in self.revoked}
        return [g for g in self.ledger.generations if g.live and g.number not in revoked] if self.ledger else []


def generations_table(ledger: Ledger) -> Table:
    """Show the generations of a ledger and their states, to choose from."""
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    for title in ("no.", "state", "client", "fingerprint", "since"):
        table.add_column(title, overflow="fold", no_wrap=title in {"no.", "state", "since"})
    for g in ledger.generations:
        since = g.current_since or g.issued_at or g.asked_at
        cells = (str(g.number), g.state.value, ledger.object_of(g).client_id, g.fingerprint or "not known")
        table.add_row(*(Text(plain(cell)) for cell in (*cells, f"{since:%Y-%m-%d %H:%M}")))
    return table


def revocation_lines(made: Revocation) -> Iterable[RenderableType]:
    """Write a revocation for a terminal: what ended, what is left, what still works, what to do next."""
    for client in made.disabled:
        state = "disabled" if client.was_enabled else "was disabled already"
        yield line(f"client {client.client_id} at target {client.target}: {state}")
    if made.ledger is None:
        yield from _unnoted(made)
        return
    for words in made.done:
        yield line(("✓ ", "green"), words)
    ended = [str(g.number) for g in made.revoked if g.state is State.RETIRED]
    if ended:
        which = "generation" if len(ended) == 1 else "generations"
        yield line((f"{made.identity}: ended for good: {which} {', '.join(ended)}", "bold"))
    if made.left or made.error:
        yield from _left(made)
    yield line(_afterwards(made))


def _unnoted(made: Revocation) -> Iterable[RenderableType]:
    if not made.disabled:
        yield line(("! ", "yellow"), "nothing was disabled: no client there carries the mark of this credential")
    if made.record is not None:
        yield line(("! ", "yellow"), f"the ledger does not know it yet ({made.error})")
        yield line(
            f"{made.record} keeps it: the next run of this stack in this project notes it in the ledger first, "
            "and ends the secrets. Keep the file, or hand it to whoever runs next"
        )
    else:
        yield line(("✗ ", "bold red"), f"not noted anywhere: {made.error}")


def _left(made: Revocation) -> Iterable[RenderableType]:
    numbers = ", ".join(f"{g.number} ({g.state})" for g in made.left)
    what = f"not ended yet: generation {numbers}" if numbers else "not everything is done yet"
    yield line(("✗ ", "bold red"), what, f": {made.error}" if made.error else "")
    by_hand = [g for g in made.left if not g.endable]
    for generation in by_hand:
        number, system = generation.number, generation.target
        yield line(
            f"only a person can end generation {number}: end it in the console of {system} now, then run: keysteward "
            f"deliver {made.name} --ended {number}"
        )
    if by_hand and len(by_hand) == len(made.left) and not made.error:
        return
    yield line("it is noted in the ledger: the next run of anything ends it; so does this command, run again")
    targets = sorted({made.ledger.object_of(g).target for g in made.left}) if made.ledger is not None else []
    if targets and made.error and not made.disabled:
        places = " or ".join(f"--target {name}" for name in targets)
        yield line(f"its clients are disabled at once by: keysteward revoke {made.name} {places} --reason TEXT")


def _afterwards(made: Revocation) -> str:
    """Say what consumers have now, and how they get something that works."""
    ledger = made.ledger
    if ledger is not None and ledger.current is not None and ledger.current in made.working:
        places = ", ".join(ledger.current.delivery) or "nowhere"
        return f"generation {ledger.current.number} works; its consumers read it from {places}"
    whole = ledger is not None and ledger.revoked is not None and ledger.revoked.generations is None
    if made.left:
        return f"generation {', '.join(str(g.number) for g in made.left)} may still work for whoever has its secret"
    if whole:
        then = f"keysteward lift {made.name} --reason TEXT" if made.declared else "declare it again and lift it"
        return f"its consumers have no working secret now; once the reason is dealt with: {then}"
    if made.working:
        numbers = ", ".join(str(g.number) for g in made.working)
        return f"generation {numbers} still works; the next `keysteward up` delivers it again to its consumers"
    return "its consumers have no working secret now; the next `keysteward up` that has its declaration issues one"


def revocation_json(made: Revocation) -> dict[str, Any]:
    """Return a revocation as JSON; see the module for the format."""
    left = {g.number for g in made.left}
    return {
        "format": JSON_FORMAT,
        "stack": made.stack,
        "name": made.name,
        "identity": made.identity,
        "reason": made.reason,
        "complete": made.complete,
        "noted": made.ledger is not None,
        "record": made.record,
        "disabled": [
            {"target": d.target, "client_id": d.client_id, "remote_id": d.remote_id, "was_enabled": d.was_enabled}
            for d in made.disabled
        ],
        "done": list(made.done),
        "ended": [g.number for g in made.revoked if g.number not in left],
        "left": sorted(left),
        "working": [g.number for g in made.working],
        "error": made.error or None,
    }
