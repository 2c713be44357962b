"""A lost ledger store on the sandbox's Keycloak and Vault: the fingerprint key is lost with it, and nothing else is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from company import Office, open_office

from keysteward import RotationSchedule, Stack
from keysteward.core.errors import Conflict
from keysteward.core.findings import Kind
from keysteward.core.observe.unrecorded import behind
from keysteward.core.run.rebuild import rebuild
from keysteward.operations.session import Session
from keysteward.providers.local import LocalStore
from keysteward.testing.aging import age_ledgers

IDENTITY = "acme/test/exporter"
CHOICES: dict[str, dict[str, object]] = {
    "key pairs": {"auth_method": "private_key_jwt"},
    "two clients in turn": {"auth_method": "client_secret", "alternate_clients": True},
    "gap": {"auth_method": "client_secret", "accept_gap": True, "rotation": RotationSchedule(every="90d")},
}


def rebuilt(session: Session, stack: Stack) -> None:
    """Do what the command does."""
    from keysteward.cli.commands.rebuild import _read  # noqa: PLC0415 - how the command reads values

    spec = stack.specs[IDENTITY]
    world = session.snapshot.everywhere(session.snapshot.world(IDENTITY, spec))
    assert behind(world) is not None
    after = rebuild(world, spec, "again", _read(session, world, world.ledger))
    session.credentials.enter(after, command="rebuild", words="after the loss")


def secrets_of(office: Office) -> dict[str, object]:
    clients = office.sandbox.keycloak.realms["demo"].clients.values()
    return {
        c.client_id: (c.settings["enabled"], c.secret, c.attributes.get("jwks.string"))
        for c in clients
        if c.client_id in office.ours()
    }


@pytest.mark.parametrize("choice", CHOICES)
def test_a_lost_ledger_store_costs_nothing_but_a_rebuild(choice: str, tmp_path: Path) -> None:
    with open_office(tmp_path) as office:
        first = LocalStore("first", root=tmp_path / "first", key=tmp_path / "age.key")
        declared = (office.billing, office.client(**CHOICES[choice]))
        stack = office.stack(*declared, ledgers=first.ledgers())
        office.up(stack)
        before = secrets_of(office)

        again = LocalStore("second", root=tmp_path / "second", key=tmp_path / "age.key")
        stack = office.stack(*declared, ledgers=again.ledgers())
        plan = office.preview(stack)[IDENTITY]
        assert plan.steps == ()
        assert Kind.UNRECORDED in {f.kind for f in plan.findings}
        with pytest.raises(Conflict, match="keysteward rebuild exporter"):
            office.up(stack)
        assert secrets_of(office) == before

        rebuilt(office.session(stack), stack)
        result = office.up(stack)[IDENTITY]
        assert secrets_of(office) == before, "nothing was issued again, and nothing ended"
        assert result.ledger is not None
        assert result.ledger.current is not None
        assert result.ledger.current.number == 1
        assert [s.do.value for s in result.done] == []
        assert Kind.UNDELIVERED in {f.kind for f in result.findings}, "the document's notes are under the lost key"

        age_ledgers(stack.ledgers, stack.identity, timedelta(days=90))
        office.up(stack)
        office.up(stack)
        session = office.session(stack)
        rotated = session.snapshot.ledgers[IDENTITY]
        assert rotated.current is not None
        assert rotated.current.number == 2
        assert Kind.UNDELIVERED not in {f.kind for f in office.preview(stack)[IDENTITY].findings}
