"""Old secrets end on evidence of disuse: used it waits, silent it ends, and for too long it is a finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from bench_world import MINTING, STOCK, Company

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import Observation, ObservedObject
from keysteward.core.contract.ports import Fingerprint, ObjectRef
from keysteward.core.declare.credentials import M2MClient, RotationSchedule
from keysteward.core.declare.owners import Owner, Owners
from keysteward.core.declare.stack import Stack
from keysteward.core.errors import DeclarationError
from keysteward.core.findings import Kind, Severity
from keysteward.core.policy.check import check
from keysteward.core.record.requests import reissue
from keysteward.testing.memory import MemoryLedgers

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)

NAME = "acme/test/billing"
PER_SECRET = replace(MINTING, last_use="secret")
PER_CLIENT = replace(STOCK, last_use="client")
UNUSED = RotationSchedule(every="90d", overlap="7d", retire_when_unused_for="14d", report_after="20d")


def overlapping(can: Capabilities, **fields: object) -> Company:
    """Return a company whose second generation has just become current."""
    made = Company(can)
    made.declare(made.client(rotation=UNUSED, **fields))
    made.up()
    made.pass_time(days=90)
    made.up()
    assert made.states() == ["1 previous", "2 current"]
    return made


def used(made: Company) -> None:
    """Let somebody use the first secret now."""
    item = next(o for o in made.target.objects.values() if o.client_id == "billing")
    item.secrets[0].last_used = made.clock.now


def report_use_per_client(made: Company) -> None:
    """Let the target show the last use of a whole client, as the latest of its secrets."""
    observe, look = made.target.observe, made.target.look

    def seen(item: ObservedObject) -> ObservedObject:
        times = [s.last_used for s in item.secrets if s.last_used is not None]
        hidden = tuple(replace(s, last_used=None) for s in item.secrets)
        return replace(item, secrets=hidden, last_used=max(times, default=None))

    def observed(fingerprint: Fingerprint | None) -> Observation:
        listed = observe(fingerprint)
        return replace(listed, objects=tuple(map(seen, listed.objects)))

    def looked(ref: ObjectRef, fingerprint: Fingerprint | None) -> ObservedObject | None:
        found = look(ref, fingerprint)
        return seen(found) if found is not None else None

    made.target.observe = observed  # type: ignore[method-assign]
    made.target.look = looked  # type: ignore[method-assign]


@pytest.mark.parametrize("shown", ["secret", "client"])
def test_used_it_waits_and_silent_it_ends(shown: str) -> None:
    made = overlapping(PER_SECRET) if shown == "secret" else overlapping(PER_CLIENT, alternate_clients=True)
    if shown == "client":
        report_use_per_client(made)
    made.pass_time(days=8)
    assert made.words() == "", "its overlap is over, and not yet its fortnight of silence"
    used(made)
    made.pass_time(days=13)
    assert made.words() == ""
    made.pass_time(days=1)
    assert made.words() == "retire generation 1"
    assert "unused for 14 days" in [s.why for s in made.preview()[NAME].steps]
    made.up()
    assert made.states() == ["1 retired", "2 current"]
    assert made.ledger().generation(1).evidence == "unused for 14 days"
    assert made.consumer_works()


def test_never_used_since_it_ends_after_the_silence_counted_from_its_replacement() -> None:
    made = overlapping(PER_SECRET)
    made.pass_time(days=13, hours=23)
    assert made.words() == ""
    made.pass_time(hours=2)
    assert made.words() == "retire generation 1"


def test_used_for_too_long_it_is_a_finding_and_still_not_ended() -> None:
    made = overlapping(PER_SECRET)
    made.pass_time(days=26)
    used(made)
    assert Kind.RETIREMENT_WAITS not in {f.kind for f in made.preview()[NAME].findings}
    made.pass_time(days=2)
    finding = next(f for f in made.preview()[NAME].findings if f.kind is Kind.RETIREMENT_WAITS)
    assert (
        "generation 1 should have ended long ago; it ends once unused for 14d (last used 2 days ago)" in finding.message
    )
    assert "keysteward revoke billing --generation 1" in finding.mend
    made.up()
    assert made.states() == ["1 previous", "2 current"]
    assert made.consumer_works()


def test_a_person_outranks_the_evidence() -> None:
    made = overlapping(PER_SECRET)
    used(made)
    made.reconciler().edit(NAME, lambda ledger: reissue(ledger, "leaked", at=made.clock.now))
    made.up()
    assert made.states() == ["1 retired", "2 retired", "3 current"]
    assert made.consumer_works()


def declared(can: Capabilities, **fields: object) -> tuple[Company, M2MClient]:
    made = Company(can)
    return made, made.client(rotation=UNUSED, owner="team-billing", **fields)


@pytest.mark.parametrize(
    ("can", "fields"),
    [
        (STOCK, {"auth_method": "private_key_jwt"}),
        (PER_CLIENT, {"auth_method": "private_key_jwt"}),
        (MINTING, {}),
    ],
    ids=["nothing is shown", "only the client's, with both secrets on it", "minted, nothing is shown"],
)
def test_a_target_that_cannot_tell_is_refused_before_any_call(can: Capabilities, fields: dict[str, object]) -> None:
    made, client = declared(can, **fields)
    owners = Owners(teams={"team-billing": Owner(contact="billing@example.com")})
    stack = Stack("acme/test", owners, MemoryLedgers("ledgers", made.clock), [client])
    with pytest.raises(
        DeclarationError, match="needs a target that shows when a secret was last used, and idp does not"
    ):
        check(stack, owners, CHECKED_ON)
    assert made.target.calls == []


@pytest.mark.parametrize(
    ("can", "fields"), [(PER_SECRET, {}), (PER_CLIENT, {"alternate_clients": True})], ids=["per secret", "per client"]
)
def test_a_target_that_can_tell_is_accepted(can: Capabilities, fields: dict[str, object]) -> None:
    made, client = declared(can, **fields)
    owners = Owners(teams={"team-billing": Owner(contact="billing@example.com")})
    found = check(Stack("acme/test", owners, MemoryLedgers("ledgers", made.clock), [client]), owners, CHECKED_ON)
    assert {finding.severity for finding in found} <= {Severity.NOTE}
