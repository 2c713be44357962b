"""What a revocation did and what is left, as people and programs read it. Pure.

JSON (`format: 1`): `format`, `stack`, `name`, `identity`, `reason`, `complete` (nothing of what was revoked works any
more), `noted` (in the ledger), `record` (file that holds the word until the ledger does, or null), `disabled[]`
(`target`, `client_id`, `remote_id`, `was_enabled`: what --target found), `by_hand[]` (`target`, `holder`, `id`,
`said_by`: the keys that --target found, which a person has to end), `done[]` (words of the steps), `ended[]` and
`left[]` (numbers of revoked generations), `working[]` (numbers of the generations that still work), `error` (text or
null).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from keysteward.core.identity import name_of
from keysteward.core.record.ledger import Generation, Ledger, State
from keysteward.report.run.plan import JSON_FORMAT
from keysteward.report.text.plain import line, plain


@dataclass(frozen=True, slots=True)
class Disabled:
    """One client that --target found by our mark."""

    target: str
    client_id: str
    remote_id: str
    was_enabled: bool


@dataclass(frozen=True, slots=True)
class KeyByHand:
    """One key that --target found, and which only a person may end now: `said_by` its name, or a delivered document."""

    target: str
    holder: str
    id: str
    said_by: str


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revocation: what was noted where, what was done, and the ledger afterwards (None: out of reach).

    `keys` are what --target found of keys; `unseen` says why it may not have seen all of them.
    """

    stack: str
    identity: str
    reason: str
    ledger: Ledger | None = None
    declared: bool = False
    disabled: tuple[Disabled, ...] = ()
    keys: tuple[KeyByHand, ...] = ()
    unseen: str = ""
    record: str | None = None
    done: tuple[str, ...] = ()
    error: str = ""

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return name_of(self.identity)

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
    def by_hand(self) -> list[KeyByHand]:
        """Return the keys that --target found and that the ledger does not know to have ended."""
        generations = self.ledger.generations if self.ledger is not None else ()
        ended = {(g.target, g.id) for g in generations if g.state is State.RETIRED}
        return [key for key in self.keys if (key.target, key.id) not in ended]

    @property
    def working(self) -> list[Generation]:
        """Return the generations that still work, and are meant to."""
        revoked = {g.number for g in self.revoked}
        if self.ledger is None or self.ledger.closed is not None:
            return []
        return [g for g in self.ledger.generations if g.live and g.number not in revoked]


def where(ledger: Ledger) -> str:
    """Return the heading above what carries each generation of a credential."""
    return {"ApiKey": "key", "ManualKey": "system"}.get(ledger.kind, "client")


def place_of(ledger: Ledger, generation: Generation) -> str:
    """Return what carries a generation: the id of its own key, or its client or system."""
    record = ledger.object_of(generation)
    if not record.holder:
        return record.client_id
    return generation.id or ("not known" if ledger.kind == "ApiKey" else record.client_id)


def generations_table(ledger: Ledger) -> Table:
    """Show the generations of a ledger and their states, to choose from."""
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    for title in ("no.", "state", where(ledger), "fingerprint", "since"):
        table.add_column(title, overflow="fold", no_wrap=title in {"no.", "state", "since"})
    for g in ledger.generations:
        since = g.current_since or g.issued_at or g.asked_at
        cells = (str(g.number), g.state.value, place_of(ledger, g), g.fingerprint or "not known")
        table.add_row(*(Text(plain(cell)) for cell in (*cells, f"{since:%Y-%m-%d %H:%M}")))
    return table


def revocation_lines(made: Revocation) -> Iterable[RenderableType]:
    """Write a revocation for a terminal: what ended, what is left, what still works, what to do next."""
    for client in made.disabled:
        state = "disabled" if client.was_enabled else "was disabled already"
        yield line(f"client {client.client_id} at target {client.target}: {state}")
    for key in made.by_hand:
        yield line(
            ("! ", "yellow"),
            f"end key {key.id} of {key.holder} in the console of target {key.target}: {key.said_by} says that it is of "
            "this credential, which gives no right to end it",
        )
    if made.unseen and made.ledger is None:
        yield line(("! ", "yellow"), made.unseen)
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
    if not made.disabled and not made.keys and not made.unseen:
        yield line(("! ", "yellow"), "nothing was disabled: no client there carries the mark of this credential")
    if made.record is not None:
        yield line(("! ", "yellow"), f"the ledger does not know it yet ({made.error})")
        yield line(
            f"{made.record} keeps it: once the ledger store answers, run the same command again, or keysteward up, "
            "whose plan shows it as a step. Hand the file to whoever does that; it is never committed"
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
    if made.error and not made.disabled:
        yield from _without_the_run(made)


def _without_the_run(made: Revocation) -> Iterable[RenderableType]:
    """Say what ends it although the run does not: clients are disabled by their mark, keys have none."""
    ledger = made.ledger
    if ledger is None:
        return
    records = [(g, ledger.object_of(g)) for g in made.left]
    targets = sorted({record.target for _, record in records if not record.holder})
    if targets:
        places = " or ".join(f"--target {name}" for name in targets)
        yield line(f"its clients are disabled at once by: keysteward revoke {made.name} {places} --reason TEXT")
    for generation, record in records:
        if record.holder and generation.endable and generation.id is not None:
            yield line(f"or by hand: end key {generation.id} of {record.client_id} in the console of {record.target}")


def _afterwards(made: Revocation) -> str:
    """Say what consumers have now, and how they get something that works."""
    ledger = made.ledger
    if ledger is not None and ledger.closed is not None:
        return f"its ledger is closed since {ledger.closed:%Y-%m-%d}: the word stands in the audit log alone"
    if ledger is not None and ledger.current is not None and ledger.current in made.working:
        places = ", ".join(ledger.current.delivery) or "nowhere"
        return f"generation {ledger.current.number} works; its consumers read it from {places}"
    whole = ledger is not None and ledger.wholly_revoked
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
        "by_hand": [asdict(key) for key in made.by_hand],
        "done": list(made.done),
        "ended": [g.number for g in made.revoked if g.number not in left],
        "left": sorted(left),
        "working": [g.number for g in made.working],
        "error": made.error or None,
    }
