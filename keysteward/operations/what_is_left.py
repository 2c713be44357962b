"""What still works of a credential whose ledger is closed: its targets are asked before anybody says "nothing"."""

from __future__ import annotations

from collections.abc import Iterator

from keysteward.core.contract.observed import ObservedObject
from keysteward.core.errors import DeclarationError, KeystewardError
from keysteward.core.record.ledger import RELEASED, Ledger
from keysteward.operations.emergency import Scene


def what_is_left(scene: Scene, ledger: Ledger) -> DeclarationError:
    """Return why a credential cannot be revoked in its closed ledger, with what still works and how it is ended."""
    snapshot = scene.session("reader", "").snapshot
    snapshot.lenient = True  # what is wrong with other credentials hides nothing here
    snapshot.sources.complete(ledger)
    living = [other for other in snapshot.ledgers.values() if other.closed is None]
    others = {g.id for other in living for g in other.generations if g.id is not None}
    works, unseen = [], []
    for target in sorted({record.target for record in ledger.objects}):
        try:
            seen = list(snapshot.target(target).by_id.values())
        except (KeystewardError, KeyError) as error:
            unseen.append(f"target {target} ({error})")
            continue
        works += [found for item in seen for found in _working(ledger, item, target, others)]
    closed = f"{ledger.identity} is closed since {ledger.closed:%Y-%m-%d}"
    if works:
        return DeclarationError(f"{closed}, and yet {'; '.join(works)}")
    heir = next((other for other in living if ledger.identity in other.names), None)
    if heir is not None:
        return DeclarationError(
            f"{closed}: it goes on as {heir.name}; to end that run: keysteward revoke {heir.name} --all --reason TEXT"
        )
    if unseen:
        return DeclarationError(f"{closed}; whether anything of it works cannot be told: {'; '.join(unseen)}")
    return DeclarationError(f"{closed}; its targets show nothing of it that works")


def _working(ledger: Ledger, item: ObservedObject, target: str, others: set[str]) -> Iterator[str]:
    """Yield what works of one object: a client that carries its mark, keys that its ledger names and no other does."""
    if not item.holder:
        if item.enabled and item.mark is not None and item.mark.identity == ledger.identity:
            yield (
                f"client {item.client_id} at target {target} carries its mark and works: keysteward revoke "
                f"{ledger.name} --target {target} --reason TEXT disables it"
            )
        return
    ids = {g.id for g in ledger.generations if g.target == target and g.evidence != RELEASED} - others
    for secret in item.secrets:
        if secret.enabled and secret.id in ids:
            yield f"key {secret.id} of {item.client_id} works: end it in the console of target {target}"
