"""How one credential is taken away, in sentences that name its clients, keys and places. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keysteward.core.assess.blast_radius import ALLOW_ENDING
from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.spec import Spec
from keysteward.core.record.ledger import Ledger, ObjectRecord, Origin, State


def how_to_revoke(name: str, spec: Spec | None, ledger: Ledger | None, *, suspends: bool = True) -> list[str]:
    """Return what to do: to lift a revocation, in an emergency, for a new secret, and to end it for good.

    `suspends` says whether its target can disable it.
    """
    if ledger is None:
        return ["nothing was issued yet; remove the declaration"]
    if ledger.closed is not None:
        return ["it has ended; nothing is left to revoke"]
    if ledger.kind == "ManualKey":
        return list(_a_persons_work(name, spec, ledger))
    records = [record for record in ledger.objects if not record.deleted]
    wholly = ledger.wholly_revoked
    revoke = f"keysteward revoke {name} --all --reason TEXT"
    sentences = [*_revoked(name, spec, ledger)]
    if not wholly:
        sentences.append(f"in an emergency: {revoke}; nothing works until it is lifted")
    elif any(generation.live for generation in ledger.generations):
        sentences.append(f"what is left of it ends with the next run, or now: {revoke}")
    sentences += [sentence for record in records for sentence in _by_hand(ledger, record)]
    if spec is not None and not wholly:
        sentences.append(
            f"for a new secret now: keysteward reissue {name} --reason TEXT; the old ones end at once, or after "
            f"--grace (its overlap is {show_duration(spec.overlap)})"
        )
    if spec is not None and not wholly and spec.decommission is None:
        sentences.append(_decommission(spec, suspends=suspends))
    before = "remove the declaration, then run" if spec is not None else "run"
    sentences.append(
        f"to end it for good: {before} keysteward up --prune (or pulumi up); this {_ending(records, ledger)}"
    )
    if not ledger.only_released:
        gone = "ended" if any(record.holder for record in records) else "deleted"
        sentences.append(
            f"what was used within a day, or is in production and cannot be seen to be unused, is {gone} only with a "
            f"person's word: {ALLOW_ENDING}=1"
        )
    return sentences


def _a_persons_work(name: str, spec: Spec | None, ledger: Ledger) -> Iterable[str]:
    """Say what to do about a key that only a person can make and end."""
    yield from _revoked(name, spec, ledger)
    wholly = ledger.wholly_revoked
    again = "" if spec is not None else "declare it again, "
    left = [g for g in ledger.generations if not g.endable and g.state is not State.RETIRED]
    for generation in left:
        number, system = generation.number, generation.target
        yield (
            f"only a person can end generation {number}: {again}end it in the console of {system}, then run: "
            f"keysteward deliver {name} --ended {number}"
        )
    if not wholly:
        yield f"so that no new value is taken: keysteward revoke {name} --all --reason TEXT"
    if spec is not None and not wholly:
        yield f"for a new one: make it at {spec.target}, then run: keysteward deliver {name}"
    first = "then " if left else ""
    remove = "remove the declaration and run" if spec is not None else "run"
    emptied = ", ".join(place.key for place in ledger.places)
    yield f"to end it for good: {first}{remove} keysteward up --prune (or pulumi up); this empties {emptied}"


def _revoked(name: str, spec: Spec | None, ledger: Ledger) -> Iterable[str]:
    """Say how a revocation ends."""
    if ledger.revoked is None:
        return
    what = f"it is revoked ({ledger.revoked.reason}), and nothing new is issued"
    if ledger.revoked.generations is not None:
        what = f"generation {', '.join(map(str, ledger.revoked.generations))} is revoked ({ledger.revoked.reason})"
    again = "" if spec is not None else "declare it again, then "
    yield f"{what}; once the reason is dealt with: {again}keysteward lift {name} --reason TEXT"


def _decommission(spec: Spec, *, suspends: bool) -> str:
    """Say what the day of its decommissioning brings."""
    secrets = "keys" if spec.key else "secrets"
    if spec.external and not spec.key:
        then = "on which its secrets end for good, since its client is not ours to disable"
    elif suspends:
        then = "on which it is disabled and can still be enabled again"
    else:
        then = f"on which its {secrets} end for good, since target {spec.target} cannot disable them"
    return f"to end it in good order: declare decommission=<date>, {then}; remove the declaration a week later"


def _by_hand(ledger: Ledger, record: ObjectRecord) -> Iterable[str]:
    """Say what a person does in the console, of what is left there."""
    if record.holder:
        yield from _keys_by_hand(ledger, record)
    elif record.suspended:
        yield f"{record.noun} is disabled at target {record.target}"
    elif record.external:
        yield (
            f"by hand: end the secret of client {record.client_id} in the console of target {record.target}; "
            "it is not silently brought back"
        )
    else:
        yield (
            f"by hand: disable client {record.client_id} in the console of target {record.target}; nothing new is "
            "issued while it is disabled"
        )


def _keys_by_hand(ledger: Ledger, record: ObjectRecord) -> Iterable[str]:
    """Name the keys that have not ended: their holder may have others, which are not ours."""
    living = [g for g in ledger.generations if g.object == record.key and g.state is not State.RETIRED]
    ids = [g.id for g in living if g.id is not None]
    if not living:
        return
    noun = f"key {', '.join(ids)} of {record.client_id}" if ids else record.noun
    if record.suspended:
        yield f"{noun} is disabled at target {record.target}"
    else:
        yield f"by hand: end {noun} in the console of target {record.target}; it is not silently brought back"


def _ending(records: list[ObjectRecord], ledger: Ledger) -> str:
    """Say what becomes of it once nothing declares it; as `keysteward.core.plan.retire.end_all` plans it."""
    parts = []
    ours = [r for r in records if not (r.adopted or r.external)]
    kept = [r for r in records if (r.adopted or r.external) and not r.holder]
    keys = [g for g in ledger.generations if g.state is not State.RETIRED and ledger.object_of(g).holder]
    issued = [str(g.id) for g in keys if g.origin is Origin.ISSUED and g.id is not None]
    adopted = [str(g.id) for g in keys if g.origin is Origin.ADOPTED and g.live]
    if issued:
        parts.append(f"ends key {', '.join(issued)}")
    if ours:
        parts.append("deletes " + ", ".join(f"client {r.client_id} at target {r.target}" for r in ours))
    if kept:
        parts.append("releases " + ", ".join(f"client {r.client_id} at target {r.target}" for r in kept))
        parts.append("deletes nothing of them, since they were not made here")
    if adopted:
        parts.append(f"leaves key {', '.join(adopted)} as it is, since it was not made here")
    released = any((r.adopted or r.external) and not r.holder for r in ledger.objects) or any(
        g.origin is Origin.ADOPTED and g.live for g in ledger.generations
    )
    if ledger.places and not released:
        parts.append("empties " + ", ".join(place.key for place in ledger.places))
    return ", ".join(parts) or "closes its ledger"
