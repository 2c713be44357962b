"""The stack card: how to reach a stack's ledger store, targets and stores when its module does not load.

JSON (`format: 1`): `format`, `stack` (identity), `ledgers`, `targets{}` and `stores{}`, each a descriptor (`kind`,
`settings`). A descriptor holds references to credentials, never a credential, so that a card may be committed.

A card is trusted like the stack's module: what it names is imported, and gets the credentials it refers to. Who can
write it could as well write that module; see docs/emergency.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keysteward.core.declare.stack import IDENTITY, Stack
from keysteward.core.errors import DeclarationError
from keysteward.host.files import replace_file
from keysteward.host.foreign_json import Misshapen, read_json
from keysteward.host.git import CARDS
from keysteward.operations.descriptors import describe

FORMAT = 1
FOLDER = CARDS

Descriptors = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Card:
    """One stack as its card describes it."""

    stack: str
    ledgers: Mapping[str, Any]
    targets: Descriptors
    stores: Descriptors


def card_path(root: Path, module: str) -> Path:
    """Return where the card of a stack's module stands in its project."""
    return root / FOLDER / f"{module}.json"


def write_card(path: Path, stack: Stack) -> None:
    """Write a stack's card where it differs from what stands there, at once and whole. Raises OSError."""
    document = {
        "format": FORMAT,
        "stack": stack.identity,
        "ledgers": describe(stack.ledgers.descriptor),
        "targets": {name: describe(target.descriptor) for name, target in sorted(stack.targets.items())},
        "stores": {name: describe(store.descriptor) for name, store in sorted(stack.stores.items())},
    }
    text = json.dumps(document, indent=2, sort_keys=True, default=str) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    replace_file(path, text.encode())


def read_card(path: Path) -> Card:
    """Read a card. Raises DeclarationError when there is none, or when it is none."""
    try:
        document = read_json(path.read_bytes(), dict[str, Any])
    except OSError as error:
        raise DeclarationError(f"there is no stack card {path} ({error.strerror}); name one with --card") from None
    except Misshapen as problem:
        text = f"stack card {path} is {problem}; take it from another clone of the project"
        raise DeclarationError(text) from None
    if document.get("format") != FORMAT:
        raise DeclarationError(f"{path} is no stack card of format {FORMAT}; name another with --card")
    stack, ledgers = document.get("stack"), document.get("ledgers")
    targets, stores = document.get("targets", {}), document.get("stores", {})
    described = [ledgers, *_values(targets), *_values(stores)]
    named = isinstance(stack, str) and IDENTITY.fullmatch(stack) is not None
    if not named or not isinstance(ledgers, dict) or not all(isinstance(d, dict) for d in described):
        raise DeclarationError(f"stack card {path} is damaged; take it from another clone of the project")
    return Card(str(stack), ledgers, targets, stores)


def _values(described: object) -> list[object]:
    return list(described.values()) if isinstance(described, dict) else [described]
