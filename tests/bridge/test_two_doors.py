"""Two front doors, one planner: `pulumi up` and `keysteward up --prune` plan and do the same for the same world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from dynamic_server import IDENTITY, Acme
from previews import previewed

from keysteward import Stack
from keysteward.sandbox.keycloak import KeycloakStandIn

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Acme]]:
    """Make equal worlds that know nothing of each other."""
    for name, value in Acme.environment.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as servers:

        def make(name: str) -> Acme:
            (tmp_path / name).mkdir()
            return Acme(servers.enter_context(KeycloakStandIn()), tmp_path / name)

        yield make


def usual(acme: Acme) -> Stack:
    return acme.stack(acme.client(), acme.client("mailer", auth_method="client_secret", alternate_clients=True))


def begun(acme: Acme) -> None:
    acme.engine.up(usual(acme))


def due(acme: Acme) -> None:
    begun(acme)
    acme.pass_time(days=90)


def overlapping(acme: Acme) -> None:
    due(acme)
    acme.engine.up(usual(acme))


def overlap_over(acme: Acme) -> None:
    overlapping(acme)
    acme.pass_time(days=8)


def drifted(acme: Acme) -> None:
    begun(acme)
    acme.remote().settings["fullScopeAllowed"] = True
    acme.remote().attributes["access.token.lifespan"] = "86400"
    acme.keycloak.realms["demo"].scope_named("invoices:read").description = "?"  # type: ignore[union-attr]


def key_gone(acme: Acme) -> None:
    begun(acme)
    acme.remote().attributes["jwks.string"] = '{"keys": []}'


def client_gone(acme: Acme) -> None:
    begun(acme)
    del acme.keycloak.realms["demo"].clients[acme.remote().id]


def unmarked(acme: Acme) -> None:
    begun(acme)
    del acme.remote().attributes["keysteward.nonce"]


def undelivered(acme: Acme) -> None:
    begun(acme)
    acme.store.discard("apps/exporter", f"{IDENTITY}/exporter", 1)


def changed(acme: Acme) -> Stack:
    acme.billing = acme.server(audience="https://new.example.com", scopes={"invoices:read": "Read"})
    return acme.stack(
        acme.client(owner="team-billing", purpose="Nightly", deliver_to=acme.store.path("apps/moved")),
        acme.client("new"),
    )


WORLDS: dict[str, tuple[Callable[[Acme], None], Callable[[Acme], Stack], dict[str, str]]] = {
    "new": (
        lambda _acme: None,
        usual,
        {
            "billing-api": "create scope invoices:read; create scope invoices:write",
            "exporter": "create client exporter; issue generation 1 (key pairs); "
            "deliver generation 1 to local:apps/exporter",
            "mailer": "create client mailer; issue generation 1 (two clients in turn); "
            "deliver generation 1 to local:apps/mailer",
        },
    ),
    "nothing due": (begun, usual, {}),
    "rotation due": (due, usual, {"exporter": "rotate to generation 2", "mailer": "create client mailer-2"}),
    "in the overlap": (overlapping, usual, {}),
    "overlap over": (
        overlap_over,
        usual,
        {"exporter": "retire generation 1", "mailer": "retire generation 1"},
    ),
    "drift": (
        drifted,
        usual,
        {"exporter": "update client exporter: token", "billing-api": "update scope invoices:read (description)"},
    ),
    "a key is gone": (key_gone, usual, {"exporter": "check whether generation 1 still works"}),
    "a client is gone": (client_gone, usual, {"exporter": "check whether generation 1 still works"}),
    "a mark is gone": (unmarked, usual, {"exporter": "mark client exporter"}),
    "a document is gone": (undelivered, usual, {}),
    "declared otherwise": (
        begun,
        changed,
        {
            "billing-api": "update scope invoices:read (audience); delete scope invoices:write",
            "exporter": "update client exporter: description",
            "new": "create client new",
            "mailer": "delete client mailer; empty local:apps/mailer",
        },
    ),
    "nothing declared any more": (
        overlapping,
        lambda acme: acme.stack(),
        {
            "exporter": "delete client exporter; empty local:apps/exporter",
            "mailer": "delete client mailer; delete client mailer-2; empty local:apps/mailer",
        },
    ),
}


def embedded_plans(acme: Acme, stack: Stack) -> dict[str, str]:
    """Return what `keysteward preview --prune` plans: words by name, where something is due."""
    session = acme.session(stack, "reader")
    words = {name: session.servers.preview(name, spec).words for name, spec in stack.server_specs.items()}
    words |= {name: previewed(session.credentials, name, spec).words for name, spec in stack.specs.items()}
    words |= {name: previewed(session.credentials, name, None).words for name in acme.undeclared(stack, session)}
    return {name.rpartition("/")[2]: text for name, text in words.items() if text}


def seen(acme: Acme) -> dict[str, object]:
    """Return what a run leaves behind, without what is different in every run: ids, times, values."""
    home = acme.keycloak.realms["demo"]
    ours = [c for c in home.clients.values() if "keysteward.identity" in c.attributes]
    names = ("exporter", "mailer", "new")
    ledgers = acme.store.ledgers().list(f"ledgers/{IDENTITY}/")
    held = acme.store.delivered([f"apps/{name}" for name in (*names, "moved")])
    return {
        "clients": {c.client_id: (c.settings, len(c.default_scopes)) for c in ours},
        "scopes": {s.name: (s.description, len(s.mappers)) for s in home.scopes.values() if ":" in s.name},
        "states": {n: acme.states(n) for n in names if f"ledgers/{IDENTITY}/{n}" in ledgers},
        "closed": {key: bool((stored.document or {}).get("closed")) for key, stored in ledgers.items()},
        "delivered": {path: (d.exists, d.current.generation if d.current else None) for path, d in held.items()},
    }


@pytest.mark.parametrize("name", WORLDS)
def test_both_doors_plan_and_do_the_same(worlds: Callable[[str], Acme], name: str) -> None:
    prepare, declare, expected = WORLDS[name]
    one, other = worlds("one"), worlds("other")
    for acme in (one, other):
        prepare(acme)
    stack = declare(one)
    planned = embedded_plans(one, stack)
    assert set(planned) >= set(expected)
    assert all(planned[n].startswith(words) for n, words in expected.items()), planned

    changes = one.engine.preview(stack)
    for resource, change in changes.items():
        if change.operation == "same":
            assert resource not in planned
        elif change.operation == "delete":
            assert planned[resource].startswith("delete client")
        else:
            assert change.plan.partition(" ")[2] == planned[resource]
    assert set(planned) <= {n for n, change in changes.items() if change.operation != "same"}

    one.engine.up(stack)
    other.embedded_up(declare(other), prune=True)
    assert seen(one) == seen(other)
    assert embedded_plans(one, stack) == {}
    assert set(one.engine.operations(stack).values()) == {"same"}


def test_without_prune_the_embedded_door_ends_nothing(worlds: Callable[[str], Acme]) -> None:
    acme = worlds("one")
    begun(acme)
    acme.embedded_up(acme.stack(acme.client()))
    assert "mailer" in acme.clients()
    assert acme.ledger("mailer").closed is None


def test_after_the_embedded_door_pulumi_creates_resources_that_issue_nothing(worlds: Callable[[str], Acme]) -> None:
    acme = worlds("one")
    stack = usual(acme)
    acme.embedded_up(stack)
    before = {c: acme.remote(c).representation() for c in acme.clients()}
    delivered = acme.store.delivered(["apps/exporter", "apps/mailer"])
    acme.keycloak.calls.clear()

    assert set(acme.engine.operations(stack).values()) == {"create"}
    acme.engine.up(stack)
    assert {call.method for call in acme.keycloak.calls if "/admin/" in call.path} == {"GET"}
    assert {c: acme.remote(c).representation() for c in acme.clients()} == before
    assert acme.store.delivered(["apps/exporter", "apps/mailer"]) == delivered
    assert acme.engine.state["exporter"].outputs["generation"] == 1
    assert acme.engine.state["exporter"].outputs["incarnation"] == acme.ledger().incarnation
    assert acme.engine.gates(stack) == (True, True)


def test_after_a_run_of_the_other_door_only_a_refresh_reports(worlds: Callable[[str], Acme]) -> None:
    acme = worlds("one")
    stack = usual(acme)
    acme.engine.up(stack)
    acme.pass_time(days=90)
    acme.embedded_up(stack)
    assert acme.engine.gates(stack) == (True, False)
    assert acme.engine.refresh() >= {"exporter", "mailer"}
    assert acme.engine.gates(stack) == (True, True)
    assert acme.engine.state["exporter"].outputs["generation"] == 2
    assert acme.engine.state["exporter"].outputs["status"] == "overlap"
