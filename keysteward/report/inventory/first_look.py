"""A first look at one target without a stack, as an inventory: what there is, how old, how wide, how used. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import Observation, ObservedObject, ObservedScope, ObservedSecret
from keysteward.core.drift.inventory import Inventory, InventoryEntry, Standing
from keysteward.core.drift.survey import Thing, part_of_target
from keysteward.core.drift.unmanaged import judge_thing
from keysteward.core.observe.keys import credentials_of, read_name
from keysteward.report.inventory.existing import existing, last_shown


def first_look(seen: Observation, can: Capabilities, keys: Capabilities | None, at: datetime) -> Inventory:
    """List every client and every key of a holder; `can` and `keys` say what the target can do with each."""
    entries = entries_of(seen, can, keys, at)
    return Inventory(at, tuple(sorted(entries, key=lambda entry: (entry.name.casefold(), entry.name))))


def entries_of(
    seen: Observation, can: Capabilities, keys: Capabilities | None, at: datetime
) -> Iterator[InventoryEntry]:
    """Yield one entry for each credential; keys that are over are left out."""
    scopes = seen.scope_by_name
    for item, key in credentials_of(seen.objects, at):
        thing = _client(seen.target, item) if key is None else _key(seen.target, item, key)
        used = last_shown(thing)
        entry = existing(thing, used)
        hidden = entry.method == "client_secret" and not seen.secrets_shown
        yield replace(
            entry,
            secrets=None if hidden else entry.secrets,
            reaches=_reaches(entry, scopes),
            findings=judge_thing(thing, can if thing.key is None else keys or can, at, used, scopes),
        )


def _client(target: str, item: ObservedObject) -> Thing:
    if item.mark is not None:
        return Thing(target, item, None, Standing.ELSEWHERE, item.mark.identity)
    return Thing(target, item, None, Standing.BUILT_IN if part_of_target(item) else Standing.UNMANAGED)


def _key(target: str, item: ObservedObject, secret: ObservedSecret) -> Thing:
    name = read_name(secret)
    if name is None:
        return Thing(target, item, secret, Standing.UNMANAGED)
    return Thing(target, item, secret, Standing.ELSEWHERE, name.identity)


def _reaches(entry: InventoryEntry, scopes: Mapping[str, ObservedScope]) -> tuple[str, ...]:
    """Return what it gets at: its scopes by the audience that the target's catalogue gives them."""
    found: dict[str, set[str]] = {}
    for name in (*entry.scopes, *entry.optional_scopes):
        scope = scopes.get(name)
        if scope is not None and scope.audience and not scope.built_in:
            found.setdefault(scope.audience, set()).add(name)
    return tuple(f"{audience}: {', '.join(sorted(names))}" for audience, names in sorted(found.items()))
