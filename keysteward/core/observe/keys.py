"""Keys of a holder: which are ours, whether they are suspended, what they allow. Pure.

A holder (an organization, an IAM user, a usage plan) is nobody's to declare: it carries keys of several credentials and
of strangers. Each key of ours is known by its id in the ledger; whatever else is there is left alone. Where keys
carry a name, ours is "<identity> <generation> <nonce>", which helps after a ledger was lost and gives no right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from keysteward.core.contract.observed import ObservedObject, ObservedSecret
from keysteward.core.declare.spec import Spec
from keysteward.core.observe.world import World
from keysteward.core.record.ledger import Generation, Ledger, ObjectRecord, Origin, State


def ours(ledger: Ledger, record: ObjectRecord, found: ObservedObject) -> tuple[ObservedSecret, ...]:
    """Return the secrets on an object that belong to generations of this ledger which have not ended."""
    living = (g for g in ledger.generations if g.object == record.key and g.state is not State.RETIRED)
    return tuple(secret for g in living if (secret := shown(found, g)) is not None)


def enabled_keys(ledger: Ledger, record: ObjectRecord, found: ObservedObject) -> tuple[str, ...]:
    """Return the ids of our keys with a holder that work; on a client none, since the client is disabled as a whole."""
    return tuple(secret.id for secret in ours(ledger, record, found) if secret.enabled) if record.holder else ()


def suspendable(ledger: Ledger, record: ObjectRecord, found: ObservedObject) -> bool:
    """Say whether something of ours on this object works and could be disabled."""
    return bool(enabled_keys(ledger, record, found)) if record.holder else found.enabled


def switched_off(record: ObjectRecord, found: ObservedObject | None) -> tuple[str, ...]:
    """Return the ids of the keys that were noted as disabled by us and are still there."""
    return tuple(secret.id for secret in found.secrets if secret.id in record.off) if found is not None else ()


def resumable(record: ObjectRecord, found: ObservedObject) -> bool:
    """Say whether something on this object is disabled that we have disabled."""
    if record.holder:
        return any(secret.id in record.off and not secret.enabled for secret in found.secrets)
    return not found.enabled


def expired(secret: ObservedSecret, now: datetime) -> bool:
    """Say whether a key that is still listed has ended by the target's own expiry."""
    return secret.expires_at is not None and secret.expires_at <= now


def credentials_of(
    objects: Iterable[ObservedObject], now: datetime
) -> Iterator[tuple[ObservedObject, ObservedSecret | None]]:
    """Yield every credential among what a target shows: each client, and each key of a holder that is not over."""
    for item in objects:
        if not item.holder:
            yield item, None
            continue
        for secret in item.secrets:
            if secret.slot == "key" and not expired(secret, now):
                yield item, secret


def is_off(record: ObjectRecord, found: ObservedObject, generation: Generation) -> bool:
    """Say whether a generation's secret is refused because it, or its client, is disabled."""
    if not record.holder:
        return not found.enabled
    secret = shown(found, generation)
    return secret is not None and not secret.enabled


def switched(record: ObjectRecord, found: ObservedObject, *, on: bool) -> ObservedObject:
    """Return the object as it is after our part of it was enabled or disabled."""
    if not record.holder:
        return replace(found, enabled=on)
    secrets = tuple(replace(s, enabled=on) if s.id in record.off else s for s in found.secrets)
    return replace(found, secrets=secrets)


@dataclass(frozen=True, slots=True)
class KeyName:
    """What the name of a key says: whose it is, which generation, and of which attempt. Anybody can write a name."""

    identity: str
    number: int
    nonce: str

    def __str__(self) -> str:
        return f"{self.identity} {self.number} {self.nonce}"


def read_name(secret: ObservedSecret) -> KeyName | None:
    """Return what a key's name says; None when it is no name of ours."""
    identity, number, nonce, *rest = [*(secret.name or "").split(" "), "", "", ""]
    return KeyName(identity, int(number), nonce) if number.isdecimal() and nonce and not any(rest) else None


def merged(seen: ObservedObject, before: Sequence[ObservedSecret], after: ObservedObject) -> ObservedObject:
    """Return a shared holder with what one credential's run changed on it; others may have changed it meanwhile.

    A look at one holder need not show its name: the list did.
    """
    old, new = {s.id: s for s in before}, {s.id: s for s in after.secrets}
    known = set(old)
    changed = {i: s for i, s in new.items() if old.get(i) != s}
    kept = [changed.get(s.id, s) for s in seen.secrets if s.id in new or s.id not in known]
    there = {s.id for s in kept}
    added = [s for s in after.secrets if s.id not in there and s.id not in known]
    return replace(after, secrets=(*kept, *added), label=after.label or seen.label)


def narrowed(w: World, spec: Spec, generation: Generation) -> frozenset[str]:
    """Return the permissions that a living key has and its declaration does not give any more."""
    ledger = w.ledger
    found = w.object(ledger.object_of(generation)) if ledger is not None else None
    secret = shown(found, generation) if found is not None else None
    if secret is None or secret.scopes is None or generation.facts == spec.facts:
        return frozenset()
    return secret.scopes - spec.scopes


def shown(found: ObservedObject, generation: Generation) -> ObservedSecret | None:
    """Return the secret of a generation: by its fingerprint, or by its id where the target shows no values."""
    secret = found.secret(generation.fingerprint)
    if secret is not None or generation.id is None:
        return secret
    return next((s for s in found.secrets if _under_id(s, generation) and not _another(s, generation)), None)


def intruder(found: ObservedObject, generation: Generation) -> ObservedSecret | None:
    """Return the key that somebody put under the id of a generation's own; None where there is none.

    A `kid` of ours is the thumbprint of its key, so that no other key can have come by it honestly.
    """
    if generation.id is None or (len(found.secrets) == 1 and found.secrets[0].fingerprint == generation.fingerprint):
        return None
    return next((s for s in found.secrets if _under_id(s, generation) and _another(s, generation)), None)


def keys_elsewhere(found: ObservedObject) -> str | None:
    """Return from where a client takes all its keys, if that is not the client itself: such keys are not shown."""
    return next((s.id for s in found.secrets if s.slot == "key" and s.fingerprint is None), None)


def nameless(secret: ObservedSecret | None, generation: Generation) -> bool:
    """Say whether a key of ours has lost the `kid` by which its consumers are looked up."""
    if secret is None or secret.slot != "key" or generation.method != "private_key_jwt" or generation.id is None:
        return False
    return secret.id != generation.id and generation.origin is Origin.ISSUED


def _under_id(secret: ObservedSecret, generation: Generation) -> bool:
    return secret.slot == "key" and secret.id == generation.id


def _another(secret: ObservedSecret, generation: Generation) -> bool:
    """Say whether a secret has another value than a generation, as far as both are known."""
    known = secret.fingerprint is not None and generation.fingerprint is not None
    return known and secret.fingerprint != generation.fingerprint
