"""OpenBao, which holds secrets and ledgers, is sealed or killed at each write of a run; the next run settles."""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import tally
from command_line import CommandLine, Ended
from keycloak_realms import administrator
from killing import SAMPLE
from openbao_server import SealedServer
from proxy import Proxy
from samples import sampled
from scene import STACK, held_by
from strikes import MOMENTS, Moment
from werkzeug.wrappers import Request, Response

from keysteward.providers.vault import VaultLedgers, policy
from keysteward.sandbox import KeycloakStandIn
from keysteward.sandbox.server import Work
from keysteward.testing.aging import age_ledgers

CLIENT = "client(auth_method='private_key_jwt', deliver_to=first.path('apps/exporter'))"
STRIKES: dict[str, Callable[[SealedServer], None]] = {"sealed": SealedServer.seal, "killed": SealedServer.kill}
SAID = ("is sealed: unseal it, then run again", "does not answer: start it")
PHASES = {"rotate": (timedelta(days=90), 2), "retire": (timedelta(days=8), 1)}
"""How much time passes before a run, and how many keys the client has after it."""


@dataclass
class Outage:
    """Ends the service of a server at one write of a run, before it is done or after."""

    server: SealedServer
    strike: Callable[[SealedServer], None]
    at: int
    moment: Moment
    count: int = 0
    struck: bool = False

    def around(self, request: Request, work: Work) -> Response | None:
        """Answer one call, or what is left of it."""
        self.count += request.method not in {"GET", "LIST"}
        if self.struck or self.count != self.at:
            return work()
        self.struck = True
        if self.moment == "before":
            self.strike(self.server)
            return work()
        answer = work()
        self.strike(self.server)
        return None if self.strike is SealedServer.kill else answer


class Company:
    """One client at the stand-in of Keycloak; its secrets and ledgers are in a real server, behind a proxy."""

    def __init__(self, folder: Path, keycloak: KeycloakStandIn, server: SealedServer, proxy: Proxy) -> None:
        self.keycloak, self.server, self.proxy = keycloak, server, proxy
        server.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KILLS_KEYCLOAK": keycloak.url,
            "KILLS_REALM": "demo",
            "KILLS_VAULT": proxy.url,
            "KILLS_READER": administrator(keycloak.url, "demo", ["view-clients"]),
            "KILLS_ADMIN": administrator(keycloak.url, "demo", ["manage-clients"]),
            "KILLS_VAULT_READER": self._token("reader"),
            "KILLS_VAULT_RUNNER": self._token("runner"),
        }
        declared = f"billing, {CLIENT}"
        text = STACK.format(
            folder=str(folder), rotation=False, ledgers="first.ledgers('keysteward')", declared=declared
        )
        (folder / "stacks").mkdir()
        (folder / "stacks" / "__init__.py").touch()
        (folder / "stacks" / "kills.py").write_text(text, encoding="utf-8")

    def _token(self, kind: Any) -> str:  # noqa: ANN401 - one of the policies
        self.server.call("PUT", f"sys/policies/acl/{kind}", {"policy": policy(kind, delivered="apps/*")})
        made: str = self.server.call("POST", "auth/token/create", {"policies": [kind]})["auth"]["client_token"]
        return made

    def pass_time(self, by: timedelta) -> None:
        ledgers = VaultLedgers("ledgers", url=self.server.url, admin="env:KILLS_VAULT_RUNNER")
        age_ledgers(ledgers, "acme/kills", by)

    def delivered(self) -> dict[str, Any]:
        document: dict[str, Any] = self.server.call("GET", "secret/data/apps/exporter")["data"]["data"]
        return document

    def living(self) -> set[tuple[str, str]]:
        client = self.keycloak.realms["demo"].client_named("exporter")
        assert client is not None
        jwks = json.loads(client.attributes["jwks.string"])["keys"]
        return {("exporter", key["kid"]) for key in jwks}


def strike(company: Company, run: Callable[..., Ended], phase: str, outage: Outage) -> bool:
    """Strike at one write of a run that has work to do, and see the next one settle; says whether it was struck."""
    passing, keys = PHASES[phase]
    company.pass_time(passing)
    before = company.delivered()
    company.proxy.around = outage.around
    ended = run("up", "--yes")
    company.proxy.around = lambda _request, work: work()
    where = f"{phase}, {outage.moment} write {outage.at}\n{ended.text}"
    if outage.struck:
        assert held_by(before) in company.living(), where
        assert "internal error" not in ended.text, where
        assert ended.code == 0 or any(words in ended.text for words in SAID), where
        if company.server.is_dead():
            company.server.start()
        company.server.unseal()
        ended = run("up", "--yes")
    assert ended.code == 0, f"{where}\n{ended.text}"
    gate = run("preview", "--expect-no-changes")
    assert gate.code == 0, f"{where}\n{gate.text}"
    after = company.delivered()
    assert after["generation"] == before["generation"] + (phase == "rotate"), where
    assert held_by(after) in company.living(), where
    assert len(company.living()) == keys, where
    return outage.struck


CASES = {f"{name} {moment}": (name, moment) for name in STRIKES for moment in MOMENTS}


@pytest.mark.real("vault-sealed")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", sampled(["sealed before", "killed after"], ["killed after"]))
def test_an_outage_of_the_store_at_every_sixth_write_of_a_run(
    case: str, sealed_server: SealedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert strike_everywhere(case, sealed_server, tmp_path, monkeypatch, SAMPLE) > 4, "hardly anything happened"


@pytest.mark.proof
@pytest.mark.real("vault-sealed")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("case", CASES)
def test_an_outage_of_the_store_at_each_write_of_a_run(
    case: str, sealed_server: SealedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert strike_everywhere(case, sealed_server, tmp_path, monkeypatch) > 15, "hardly anything happened"


def strike_everywhere(
    case: str, server: SealedServer, folder: Path, monkeypatch: pytest.MonkeyPatch, every: int = 1
) -> int:
    """Strike at each write of runs, or at every so many; returns how many there were."""
    name, moment = CASES[case]
    settled: Counter[int] = Counter()
    with KeycloakStandIn() as keycloak, Proxy(server.url) as proxy, CommandLine(folder) as line:
        company = Company(folder, keycloak, server, proxy)
        monkeypatch.setenv("KILLS_VAULT_RUNNER", company.environment["KILLS_VAULT_RUNNER"])

        def run(*words: str) -> Ended:
            return line.run(*words, environment=company.environment)

        first = run("up", "--yes")
        assert first.code == 0, first.text
        for at in itertools.count(1, every):
            outages = {phase: Outage(server, STRIKES[name], at, moment) for phase in PHASES}
            struck = [strike(company, run, phase, outage) for phase, outage in outages.items()]
            settled[1] += sum(struck)
            if not any(struck):
                break
        log = [line for line in run("audit", "verify").text.splitlines() if "✗" in line]
        assert [line for line in log if "ledger differs" not in line] == []  # which it does: it was made older
    tally.note(f"writes to a real Vault that is {name}", settled)
    return settled.total()
