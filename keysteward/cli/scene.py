"""What an emergency has to work with: a stack that loads, or the card of one that does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from keysteward.cli.loading import module_name
from keysteward.cli.opening import open_stack
from keysteward.cli.terminal import say
from keysteward.core.errors import DeclarationError, KeystewardError
from keysteward.core.ports import LedgerStore, Store, Target
from keysteward.core.spec import Spec
from keysteward.core.stack import IDENTITY, Limit, Stack
from keysteward.core.world import Extent
from keysteward.providers.card import FOLDER, card_path, read_card
from keysteward.providers.session import Access, Session, revive
from keysteward.providers.stack_modules import import_stacks_from

CardOption = Annotated[
    Path | None,
    typer.Option(
        "--card", metavar="FILE", help="Work from this stack card, without loading the stack; see docs/emergency.md."
    ),
]


@dataclass(frozen=True)
class Scene:
    """One stack's ports and, where it loads, its declarations."""

    stack: str
    ledgers: LedgerStore
    targets: Mapping[str, Target] = field(default_factory=dict)
    stores: Mapping[str, Store] = field(default_factory=dict)
    specs: Mapping[str, Spec] = field(default_factory=dict)
    limit: Limit | None = None

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


def open_scene(stack: str | None, card: Path | None) -> Scene:
    """Open the stack; where it does not load, or a card is named, go on from the card. Raises DeclarationError."""
    if card is not None:
        return _from_card(card)
    try:
        opened = open_stack(stack)
    except (KeystewardError, SystemExit) as error:
        path = _card_of(stack)
        if path is None:
            if isinstance(error, SystemExit):
                raise DeclarationError("the stack ends the process when it is loaded; mend it") from None
            raise
        first = next(iter(str(error).splitlines()), "it ends the process")
        say(f"warning: the stack does not load ({first}); going on from {path.relative_to(Path.cwd())}")
        return _from_card(path)
    return scene_of(opened.stack)


def scene_of(stack: Stack) -> Scene:
    """Return the scene of a stack that loads."""
    return Scene(stack.identity, stack.ledgers, stack.targets, stack.stores, stack.specs, stack.limit)


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
    return Scene(card.stack, revive(card.ledgers), _ports(card.targets), _ports(card.stores))


def _ports(described: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Make what a card describes; a port whose package is missing hides no other."""
    made = {}
    for name, descriptor in described.items():
        try:
            made[name] = revive(descriptor)
        except KeystewardError as error:
            say(f"warning: {name}: {error}")
    return made
