"""Which client at a target the next generation goes to.

A credential may have several over its life: two that take turns, one left behind by a move, one per method.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from keysteward.core.contract.observed import ObservedObject
from keysteward.core.declare.spec import NO_KEYS, Spec
from keysteward.core.declare.stack import second_client_id
from keysteward.core.observe.world import World
from keysteward.core.plan.steps import Problem
from keysteward.core.record.ledger import Ledger, ObjectRecord


def at_home(spec: Spec, record: ObjectRecord) -> bool:
    """Say whether a client has a name this declaration may use. One not given explicitly stays what it was."""
    if record.target != spec.target:
        return False
    if spec.key is not record.holder:
        return False
    if spec.key:
        return spec.client_id in {record.client_id, record.remote_id}
    if not spec.client_id_given or record.adopted:
        return True
    return re.fullmatch(rf"{re.escape(spec.client_id)}(-\d+)?", record.client_id) is not None


def record_matches(spec: Spec, record: ObjectRecord) -> bool:
    """Say whether a recorded client can carry the next generation as declared."""
    method = record.method == spec.method or spec.accept_gap
    return at_home(spec, record) and method and not record.deleted


def home_of(spec: Spec, ledger: Ledger | None) -> ObjectRecord | None:
    """Return the recorded client for the next generation; None when one must be created.

    With two clients in turn it is the one that does not carry the current generation.
    """
    if ledger is None or ledger.closed is not None:
        return None
    fitting = [record for record in ledger.objects if record_matches(spec, record)]
    busy = None if ledger.current is None else ledger.current.object
    if spec.strategy.twins:
        living = {g.object for g in ledger.generations if g.live}
        idle = [record for record in fitting if record.key not in living]
        return idle[-1] if idle else None
    preferred = [record for record in fitting if record.key == busy] or fitting
    return preferred[-1] if preferred else None


def new_home(w: World, spec: Spec, ledger: Ledger | None) -> ObjectRecord | Problem:
    """Return the record of a client to be created, under the first free name; a Problem when the name is taken.

    Where the target assigns client_ids no name is ever taken; the record gets the assigned one once it is known.
    """
    records = ledger.objects if ledger is not None else ()
    if spec.key:
        return _holder(w, spec, records)
    other_method = [r for r in records if at_home(spec, r) and not r.deleted and r.method != spec.method]
    if other_method and not spec.strategy.twins:
        record = other_method[-1]
        return Problem(
            f"auth_method: client {record.client_id!r} authenticates by {record.method}, one method at a time; "
            f'write client_id="{second_client_id(record.client_id, 2)}" to move to a second client with overlap, '
            "or accept_gap=True to switch in place"
        )
    view = w.views.get(spec.target)
    if view is not None and view.capabilities.assigns_client_id:
        living = sum(r.target == spec.target and not r.deleted for r in records)
        name = second_client_id(spec.client_id, living + 1)
        return ObjectRecord(_next_key(records), spec.target, name, spec.method, nonce="")
    known = {r.client_id for r in records if r.target == spec.target and not r.deleted}
    base = spec.client_id
    if ledger is not None and not spec.client_id_given:
        base = next((r.client_id for r in records if r.target == spec.target), base)
    number = 1
    while second_client_id(base, number) in known:
        number += 1
    client_id = second_client_id(base, number)
    taken = w.by_client_id(spec.target, client_id)
    if taken is not None:
        if taken.mark is None:
            whose, mend = "not made by keysteward", f'declare adopt="{client_id}" to take it over'
        elif taken.mark.identity == spec.identity:
            whose, mend = "marked as ours, but no ledger knows it", f"run: keysteward rebuild {spec.name}"
        else:
            whose, mend = f"owned by {taken.mark.identity}", "give this declaration another client_id"
        return Problem(f"client_id: {client_id!r} exists at target {spec.target} and is {whose}; {mend}")
    return ObjectRecord(_next_key(records), spec.target, client_id, spec.method, nonce="")


def _holder(w: World, spec: Spec, records: Sequence[ObjectRecord]) -> ObjectRecord | Problem:
    """Return the record of the account that will hold the key; it exists, and somebody else manages it."""
    found = w.by_client_id(spec.target, spec.client_id)
    if found is None or not found.holder:
        view = w.views.get(spec.target)
        bounds = (view.key_capabilities or NO_KEYS).shown_holders if view is not None else ""
        within = f" within {bounds}" if bounds else ""
        return Problem(
            f"holder: target {spec.target} has no {spec.client_id!r}{within}; correct the name, or make it there first"
        )
    known = next((r for r in records if r.holder and (r.target, r.remote_id) == (spec.target, found.remote_id)), None)
    return known or holder_record(found, spec, _next_key(records))


def holder_record(found: ObservedObject, spec: Spec, key: int) -> ObjectRecord:
    """Return the record of a holder: external, and never marked."""
    return ObjectRecord(key, spec.target, found.client_id, spec.method, "", found.remote_id, external=True, holder=True)


def _next_key(records: Sequence[ObjectRecord]) -> int:
    return max((r.key for r in records), default=0) + 1
