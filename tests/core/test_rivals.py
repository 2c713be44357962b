"""`previously` renames; it never merges two credentials that both have secrets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bench_world import Company

from keysteward.core.declare.credentials import ResourceServer
from keysteward.core.declare.spec import server_spec_of
from keysteward.core.errors import Conflict
from keysteward.core.observe.snapshot import ledger_key
from keysteward.core.observe.world import Extent
from keysteward.core.record.server_ledger import ServerLedger, load_server_ledger
from keysteward.core.run.scopes import ServerReconciler

KEYS = {"auth_method": "private_key_jwt"}


@pytest.fixture
def company() -> Company:
    """Two credentials of one team, both in use."""
    made = Company()
    made.declare(made.client("billing", **KEYS), made.client("exporter", **KEYS))
    made.up()
    return made


def merged(made: Company, *old: str) -> None:
    """Remove the others and name them as earlier names of `billing`."""
    made.declare(made.client("billing", **KEYS, previously=list(old)))


def works(made: Company, name: str) -> bool:
    ledger = made.ledger(name)
    assert ledger.current is not None
    return made.target.works(ledger.object_of(ledger.current).client_id, made.reads(name) or "")


@pytest.mark.parametrize("extent", [Extent.ALL, Extent.LIFECYCLE])
def test_another_credential_is_no_earlier_name(company: Company, extent: Extent) -> None:
    before = company.ledgers.documents.copy()
    merged(company, "exporter")
    company.extent = extent
    problem = company.preview()["acme/test/billing"].problem
    assert problem is not None
    assert "'exporter' is no earlier name of 'billing', both have secrets of their own" in problem.message
    with pytest.raises(Conflict, match="remove it from `previously`"):
        company.up()
    assert company.ledgers.documents == before
    assert works(company, "billing")
    assert works(company, "exporter")


def test_its_mark_is_no_mark_of_ours(company: Company) -> None:
    """Else drift would advise a rebuild, which enters the other's client and its secrets here."""
    merged(company, "exporter")
    found = company.preview()["acme/test/billing"].findings
    assert [f for f in found if "rebuild" in f"{f.message} {f.mend}"] == []


def test_two_open_ledgers_do_not_become_one_new_credential(company: Company) -> None:
    company.declare(
        company.client(
            "mailer", **KEYS, previously=["billing", "exporter"], deliver_to=company.store.path("apps/mailer")
        )
    )
    with pytest.raises(Conflict, match="is no earlier name of 'mailer'"):
        company.up()
    assert works(company, "billing")
    assert works(company, "exporter")


def test_without_the_mistake_the_other_one_ends_as_undeclared(company: Company) -> None:
    company.declare(company.client("billing", **KEYS))
    company.up()
    assert company.ledger("exporter").closed is not None
    assert works(company, "billing")


def servers(made: Company) -> ServerReconciler:
    reconciler = made.reconciler()
    return ServerReconciler(reconciler.tools, reconciler.snapshot)


def api(made: Company, name: str, scope: str, **fields: object) -> Callable[[], None]:
    """Return what runs a resource server with one scope."""
    server = ResourceServer(name, target=made.target, audience="everything", scopes={scope: "Text"}, **fields)  # type: ignore[arg-type]
    return lambda: void(servers(made).run(f"acme/test/{name}", server_spec_of(server, made.stack)))


def void(_result: object) -> None:
    """Take a result that a test looks at elsewhere."""


def server_ledger(made: Company, name: str) -> ServerLedger:
    stored = made.ledgers.read(ledger_key(f"acme/test/{name}"))
    assert stored.document is not None
    return load_server_ledger(stored.document, stored.version)


def test_another_server_is_no_earlier_name() -> None:
    made = Company()
    api(made, "orders", "orders:read")()
    api(made, "stock", "stock:read")()
    with pytest.raises(Conflict, match="'stock' is no earlier name of 'orders', both have scopes of their own"):
        api(made, "orders", "orders:read", previously="stock")()
    assert set(made.target.scopes) == {"orders:read", "stock:read"}
    assert server_ledger(made, "stock").closed is None


def test_a_server_renamed_half_way_closes_its_old_ledger_at_the_next_run() -> None:
    made = Company()
    api(made, "orders", "orders:read")()
    old = made.ledgers.documents["ledgers/acme/test/orders"]
    rename = api(made, "sales", "orders:read", previously="orders")
    rename()
    made.ledgers.documents["ledgers/acme/test/orders"] = old
    assert server_ledger(made, "orders").closed is None
    rename()
    assert server_ledger(made, "orders").closed is not None
    assert server_ledger(made, "sales").scopes
