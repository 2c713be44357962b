"""What a target shows of one credential, as an entry of the inventory, whoever it belongs to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from keysteward.core.contract.observed import ObservedObject, ObservedSecret
from keysteward.core.drift.inventory import InventoryEntry, Standing
from keysteward.core.drift.survey import Thing


def existing(thing: Thing, last_used: datetime | None) -> InventoryEntry:
    """Return the entry of something that exists, as far as its target tells; nobody answers for it yet.

    It is named as people there name it; the label of a key is its holder, that of a client its id where it has a name.
    """
    item, key = thing.object, thing.key
    if key is not None:
        return InventoryEntry(
            name=key.name or key.id,
            kind=kind_of(thing),
            standing=thing.standing,
            target=thing.target,
            identity=thing.identity,
            label=item.label or item.client_id,
            clients=(item.client_id,),
            key_ids=(key.id,),
            method="api_key",
            scopes=allowed([], [key]),
            enabled=key.enabled,
            secrets=1,
            created_at=key.created_at,
            secret_since=key.created_at,
            last_used=last_used,
            expires=key.expires_at,
            revoke=(by_hand(thing),),
        )
    return InventoryEntry(
        name=item.label or item.client_id,
        kind=kind_of(thing),
        standing=thing.standing,
        target=thing.target,
        identity=thing.identity,
        label=item.client_id if item.label else "",
        clients=(item.client_id,),
        purpose=item.settings.description or "",
        method=item.settings.method,
        scopes=allowed([item], []),
        optional_scopes=tuple(sorted(item.settings.optional_scopes)),
        grants=tuple(sorted(item.settings.grants)),
        interactive=item.interactive,
        enabled=item.enabled,
        secrets=len(item.secrets),
        created_at=item.created_at,
        secret_since=_newest(item),
        last_used=last_used,
        revoke=(by_hand(thing),),
    )


def kind_of(thing: Thing) -> str:
    """Return what it is, in words."""
    if thing.key is not None:
        return "API key"
    if thing.object.interactive:
        return "login client"
    return "M2M client" if thing.machine else "client without secret"


def last_shown(thing: Thing) -> datetime | None:
    """Return its last use, as the target shows it now."""
    if thing.key is not None:
        return thing.key.last_used
    times = (thing.object.last_used, *(s.last_used for s in thing.object.secrets))
    return max((t for t in times if t is not None), default=None)


def allowed(found: Iterable[ObservedObject], keys: Iterable[ObservedSecret]) -> tuple[str, ...]:
    """Return what clients and keys may do, as their target shows it."""
    scopes = {scope for item in found for scope in item.settings.scopes}
    return tuple(sorted(scopes.union(*(key.scopes or frozenset() for key in keys))))


def by_hand(thing: Thing) -> str:
    """Say how it is taken away, though it is not ours."""
    what = f"key {thing.id}" if thing.key is not None else f"client {thing.id}"
    match thing.standing:
        case Standing.ELSEWHERE:
            return f"it is {thing.identity}: revoke it with the stack that declares it"
        case Standing.GOVERNED:
            return f"its holder ends it, or an administrator at target {thing.target}: {what}"
        case Standing.BUILT_IN:
            return f"it is a part of target {thing.target}; disable it there if nobody needs it"
        case _:
            return f"at target {thing.target} only, by an administrator: disable or delete {what}"


def _newest(item: ObservedObject) -> datetime | None:
    return max((s.created_at for s in item.secrets if s.created_at is not None), default=None)
