"""A permission of the catalogue goes only when no key has it any more: its end would narrow a living key unseen."""

from __future__ import annotations

import pytest
from bench_world import MINTING, NAMED_KEYS, Company

from keysteward.core.declare.credentials import ResourceServer
from keysteward.core.declare.spec import server_spec_of
from keysteward.core.errors import Conflict
from keysteward.core.plan.scopes import ServerPlan
from keysteward.core.run.scopes import ServerReconciler
from keysteward.testing.memory import MemorySecret

SERVER = "acme/test/api"


@pytest.fixture
def company() -> Company:
    company = Company(MINTING, keys=NAMED_KEYS)
    server = api(company, "read", "write")
    serve(company, server)
    company.declare(company.key(access={server: ["write"]}))
    company.up()
    return company


def api(company: Company, *scopes: str) -> ResourceServer:
    return ResourceServer("api", target=company.target, audience="everything", scopes=dict.fromkeys(scopes, "Text"))


def servers(company: Company) -> ServerReconciler:
    reconciler = company.reconciler()
    return ServerReconciler(reconciler.tools, reconciler.snapshot)


def serve(company: Company, server: ResourceServer) -> None:
    servers(company).run(SERVER, server_spec_of(server, company.stack))


def planned(company: Company, server: ResourceServer) -> ServerPlan:
    return servers(company).preview(SERVER, server_spec_of(server, company.stack))


def test_a_permission_of_a_key_of_ours_is_noted_and_goes_after_the_key(company: Company) -> None:
    less = api(company, "read")
    assert planned(company, less).words == "note scope write as dropped, while clients still have it"
    serve(company, less)
    assert "write" in company.target.scopes
    company.declare(company.key(access={less: ["read"]}))
    company.up()
    assert planned(company, less).words == "", "the old key still has it during its overlap"
    company.pass_time(days=8)
    company.up()
    serve(company, less)
    assert "write" not in company.target.scopes
    assert company.consumer_works()


def test_a_permission_of_a_strangers_key_stays(company: Company) -> None:
    now = company.clock.now
    theirs = MemorySecret("theirs", "theirs", "key", now, scopes=frozenset({"read"}))
    company.target.objects["org-1"].secrets.append(theirs)
    less = api(company, "write")
    with pytest.raises(Conflict, match="scope 'read' is still used by key theirs at org-1, which this stack does not"):
        serve(company, less)
    assert "read" in company.target.scopes
    theirs.scopes = frozenset()
    serve(company, less)
    assert "read" not in company.target.scopes
