"""What an import leaves out, whatever a person chooses: one rule for `keysteward import` and the advice of drift. Pure.

What is left out because of a choice (a folder, another tool's state) is decided in the import itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keysteward.core.contract.ports import Target
from keysteward.core.declare.spec import NO_KEYS
from keysteward.core.drift.survey import Seen, Thing

DECLARABLE: Final = frozenset({"client_secret", "private_key_jwt"})
SECRETLESS: Final = "has no secret (public, bearer-only or SAML)"
ONE_KEY: Final = "belongs to a holder whose other key is declared; one declaration rotates both"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why an import writes no declaration for a thing ("is built in"), and what a person may do with it instead."""

    why: str
    instead: str = "allow it until a day, or end it at the target"


def left_out(seen: Seen, target: Target, thing: Thing) -> LeftOut | None:
    """Say why no import would take a thing that nobody declares; None for one that can be declared."""
    item = thing.object
    if item.built_in:
        return LeftOut("is built in", "allow it until a day, or take its service account away at the target")
    if thing.key is not None:
        tells = (target.key_capabilities or NO_KEYS).tags_secrets
        return None if tells or (target.name, item.client_id) not in seen.declared_holders else LeftOut(ONE_KEY)
    if item.client_id in seen.logins.get(target.name, ()):
        return LeftOut("is what keysteward itself logs in with", "allow it until a day")
    if item.settings.method in {"none", "saml"}:
        return LeftOut(SECRETLESS)
    if item.settings.method not in DECLARABLE & {*target.capabilities.methods}:
        return LeftOut(f"authenticates by {item.settings.method}, which cannot be declared")
    return None if item.secrets else LeftOut("has neither a secret nor a key")


def advice(seen: Seen, thing: Thing) -> str:
    """Say what to do about a thing that nobody declares: an import only where it would take it."""
    target = seen.stack.targets.get(thing.target)
    left = left_out(seen, target, thing) if target is not None else None
    if left is not None:
        return f"{left.instead}; keysteward import leaves it out, since it {left.why}"
    first = "" if target is not None else f"name target {thing.target} in the stack again, then "
    return f"{first}declare it (keysteward import {thing.target}), allow it until a day, or end it at the target"
