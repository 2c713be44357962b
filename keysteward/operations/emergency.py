"""What an emergency has to work with: a stack that loads, or the card of one that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keysteward.core.contract.ports import LedgerStore, Store, Target
from keysteward.core.declare.spec import Spec
from keysteward.core.declare.stack import IDENTITY, Limit, Stack
from keysteward.core.errors import DeclarationError, KeystewardError
from keysteward.core.identity import name_of
from keysteward.core.observe.world import Extent
from keysteward.core.policy.check import check, check_form
from keysteward.core.record.revocation import Recorded
from keysteward.host.stack_modules import import_stacks_from
from keysteward.operations.descriptors import revive
from keysteward.operations.loading import load_stack, module_name
from keysteward.operations.notices import warn
from keysteward.operations.offline.stack_card import FOLDER, card_path, read_card
from keysteward.operations.owners import owners_of
from keysteward.operations.project import keep_card, read_records
from keysteward.operations.session import Access, Session


@dataclass(frozen=True)
class Scene:
    """One stack's ports, what was revoked of it without its ledger store and, where it loads, its declarations."""

    stack: str
    ledgers: LedgerStore
    targets: Mapping[str, Target] = field(default_factory=dict)
    stores: Mapping[str, Store] = field(default_factory=dict)
    specs: Mapping[str, Spec] = field(default_factory=dict)
    limit: Limit | None = None
    records: Mapping[str, Recorded] = field(default_factory=dict)

    def identity(self, name: str) -> str:
        """Return the full identity of a name. Raises DeclarationError for what can be none."""
        prefix = f"{self.stack}/"
        identity = name if name.startswith(prefix) else prefix + name
        if not IDENTITY.fullmatch(identity):
            raise DeclarationError(f"{name!r} is not the name of a credential")
        return identity

    def session(self, access: Access, identity: str, tell: Callable[[str, str], None] | None = None) -> Session:
        """Open a session that reaches no further than an emergency needs: never a deletion, never a new declaration."""
        session = Session(
            self.stack,
            self.ledgers,
            access=access,
            specs=self.specs,
            limit=self.limit,
            extent=Extent.LIFECYCLE if identity in self.specs else Extent.REVOKE,
            alone=identity or None,
            records=self.records,
            tell=tell,
        )
        session.add_ports(self.targets, self.stores)
        return session

    def target(self, name: str) -> Target:
        """Return a target by name. Raises DeclarationError for one that neither stack nor card knows."""
        if name not in self.targets:
            known = ", ".join(sorted(self.targets)) or "none"
            raise DeclarationError(f"--target: {self.stack} has no target {name!r}; it has {known}")
        return self.targets[name]


@contextmanager
def ledgers_needed(scene: Scene, identity: str) -> Iterator[None]:
    """Say with an error of the ledger store how something is ended without it; what was typed wrong is told alone."""
    try:
        yield
    except DeclarationError:
        raise
    except KeystewardError as error:
        down = f"nothing was noted: the ledger store does not answer ({error})"
        raise type(error)(f"{down}; {_without_ledgers(scene, identity)}", credential=identity) from None


def _without_ledgers(scene: Scene, identity: str) -> str:
    """Say what can be done without the ledger store: a client has a mark, a key has none."""
    spec = scene.specs.get(identity)
    if spec is not None and spec.key:
        return (
            f"a key carries no mark: end it in the console of {spec.target}; --target {spec.target} names it where it "
            "can, and keeps your word for the next run"
        )
    places = [spec.target] if spec is not None else sorted(scene.targets)
    targets = " or ".join(f"--target {known}" for known in places) or "--target NAME"
    how = f"keysteward revoke {name_of(identity)} {targets} --reason TEXT"
    return f"disable it by its mark, with {targets}: {how}" + ("" if spec else " (names its keys: they carry no mark)")


def open_scene(stack: str | None, card: Path | None) -> Scene:
    """Open the stack, whatever rules it breaks; where it does not load, or a card is named, go on from the card.

    Raises DeclarationError where there is neither, with what to do then.
    """
    if card is not None:
        return _from_card(card)
    try:
        loaded = load_stack(stack)
    except (KeystewardError, SystemExit) as error:
        why = next(iter(str(error).splitlines()), "") if isinstance(error, KeystewardError) else "it ends the process"
        path = _card_of(stack)
        if path is None:
            raise DeclarationError(f"the stack does not load ({why}), and {_no_card(stack)}") from None
        warn(f"the stack does not load ({why}); going on from {path.relative_to(Path.cwd())}")
        return _from_card(path)
    wrong = _wrong_with(loaded)
    if wrong is not None:
        warn(f"{wrong}; an emergency goes on all the same")
    keep_card(stack, loaded)
    return scene_of(loaded)


def scene_of(stack: Stack, records: Mapping[str, Recorded] | None = None) -> Scene:
    """Return the scene of a stack that loads. Declarations that do not fit each other are left out: its ports are not.

    `records` are those of its folder (None: they are read, and what is wrong with them stops nothing).
    """
    if records is None:
        records = read_records(stack.identity, strict=False)
    try:
        check_form(stack)
    except DeclarationError:
        return Scene(stack.identity, stack.ledgers, stack.targets, stack.stores, limit=stack.limit, records=records)
    return Scene(stack.identity, stack.ledgers, stack.targets, stack.stores, stack.specs, stack.limit, records)


def _wrong_with(stack: Stack) -> str | None:
    """Return the first sentence about what is wrong with a stack that loads: with its owners file, rules, or form."""
    try:
        check(stack, owners_of(stack), datetime.now(UTC))
    except KeystewardError as error:
        return next(iter(str(error).splitlines()), "the stack breaks its rules")
    except Exception as error:  # noqa: BLE001 - a rule of one's own is a program: anything may be wrong in it
        return f"a rule of the stack fails ({type(error).__name__})"
    return None


def _no_card(stack: str | None) -> str:
    """Say which card is missing, and how to go on without it."""
    try:
        name = str(card_path(Path(), module_name(stack, Path.cwd())))
    except DeclarationError:
        name = f"{FOLDER}/<stack module>.json"
    return (
        f"there is no stack card {name} to go on from: take it from another clone and name it with --card; or run this "
        "in a checkout of the last commit that loads (git worktree add ../loads COMMIT)"
    )


def _card_of(stack: str | None) -> Path | None:
    """Return the card of the stack that was meant, also where its module is gone altogether."""
    root = Path.cwd()
    try:
        path = card_path(root, module_name(stack, root))
    except DeclarationError:
        cards = sorted((root / FOLDER).glob("*.json"))
        return cards[0] if stack is None and len(cards) == 1 else None
    return path if path.is_file() else None


def _from_card(path: Path) -> Scene:
    card = read_card(path)
    import_stacks_from(Path.cwd())
    records = read_records(card.stack, strict=False)
    return Scene(card.stack, revive(card.ledgers), _ports(card.targets), _ports(card.stores), records=records)


def _ports(described: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Make what a card describes; a port whose package is missing hides no other."""
    made = {}
    for name, descriptor in described.items():
        try:
            made[name] = revive(descriptor)
        except KeystewardError as error:
            warn(f"{name}: {error}")
    return made
