"""Three in the morning, on the sandbox: a leak, a stack that does not load, a ledger store that refuses every call."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from company import open_office
from typer.testing import CliRunner

from keysteward.cli.demo.application import Credential, get_token, read_document
from keysteward.cli.demo.place import Place
from keysteward.cli.main import app
from keysteward.sandbox import Fault, VaultStandIn

STACK = """
from keysteward import M2MClient, Owners, ResourceServer, RotationSchedule, Stack
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.vault import Vault

corp = Keycloak("corp", url={keycloak!r}, realm="demo", reader="env:KC_READER", admin="env:KC_ADMIN")
secrets = Vault("secrets", url={vault!r}, admin="env:VAULT_RUNNER")
billing = ResourceServer("billing-api", target=corp, audience="https://billing.example.com",
                         scopes={{"invoices:read": "Read invoices"}})


def client(name):
    return M2MClient(name, target=corp, owner="team-billing", environment="test", purpose="Invoices",
                     access={{billing: ["invoices:read"]}}, auth_method="private_key_jwt",
                     rotation=RotationSchedule(every="90d", overlap="7d"), deliver_to=secrets.path("apps/" + name))


stack = Stack("acme/night", owners=Owners(teams={{"team-billing": {{"contact": "billing@example.com"}}}}),
              ledgers=secrets.ledgers("keysteward"), declarations=[billing, client("exporter"), client("mailer")])
"""
RECORD = Path(".keysteward/revoked/acme/night/exporter.json")


@dataclass
class Night:
    """The project on the sandbox, what is typed, and what the applications find."""

    place: Place
    vault: VaultStandIn
    folder: Path

    def write(self, text: str) -> None:
        (self.folder / "stacks" / "night.py").write_text(text, encoding="utf-8")

    def stack(self) -> str:
        return STACK.format(keycloak=self.place.keycloak_url, vault=self.place.vault_url)

    def run(self, *words: str) -> tuple[int, str]:
        for name in [n for n in sys.modules if n == "stacks" or n.startswith("stacks.")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        result = CliRunner().invoke(app, [*words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result.exit_code, result.output

    def reads(self, name: str = "exporter") -> Credential:
        return read_document(self.place, f"apps/{name}")

    def works(self, held: Credential) -> bool:
        return get_token(self.place, held).claims is not None


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    with open_office(tmp_path) as office:
        sandbox = office.sandbox
        place = Place("night", sandbox.keycloak.url, sandbox.vault.url, sandbox.clock.advance)
        place.consumer_token = "sandbox-root"
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
        (tmp_path / "stacks").mkdir()
        (tmp_path / "stacks" / "__init__.py").touch()
        made = Night(place, sandbox.vault, tmp_path)
        made.write(made.stack())
        code, said = made.run("up", "--yes")
        assert code == 0, said
        yield made


def test_a_leak_while_the_stack_does_not_load(night: Night) -> None:
    leaked, healthy = night.reads(), night.reads("mailer")
    assert night.works(leaked)
    night.write("import a_package_that_is_gone\n")
    code, said = night.run("revoke", "exporter", "--all", "--reason", "key in a public repository", "--yes")
    assert code == 0
    assert "going on from .keysteward/stacks.night.json" in said
    assert "ended for good: generation 1" in said
    assert not night.works(leaked)
    assert night.works(healthy)

    night.write(night.stack())
    assert night.run("up", "--yes")[0] == 0
    assert not night.works(leaked)
    code, said = night.run("lift", "exporter", "--reason", "history rewritten, consumers told", "--yes")
    assert code == 0
    assert night.works(night.reads())
    assert not night.works(leaked)
    assert night.run("preview", "--expect-no-changes")[0] == 0


def test_a_leak_while_the_ledger_store_refuses_every_call(night: Night) -> None:
    leaked, healthy = night.reads(), night.reads("mailer")
    night.vault.faults.add(Fault(kind="status", status=403, times=None))
    code, said = night.run("revoke", "exporter", "--all", "--reason", "laptop stolen", "--yes")
    assert code == 1
    assert "the ledger store does not answer" in said
    assert night.works(leaked)

    code, said = night.run("revoke", "exporter", "--target", "corp", "--reason", "laptop stolen", "--yes")
    assert code == 1
    assert "client exporter at target corp: disabled" in said
    assert (night.folder / RECORD).exists()
    assert not night.works(leaked)
    assert night.works(healthy)
    assert leaked.private_jwk is not None
    assert leaked.private_jwk not in (night.folder / RECORD).read_text(encoding="utf-8")

    night.vault.faults.clear()
    assert night.run("up", "--yes")[0] == 0
    assert not (night.folder / RECORD).exists()
    code, said = night.run("show", "exporter")
    assert "(revoked)" in said
    assert "revoked: laptop stolen" in said
    assert night.run("lift", "exporter", "--reason", "new laptop", "--yes")[0] == 0
    assert night.works(night.reads())
    assert not night.works(leaked)


def test_a_new_secret_at_once_where_the_consumer_can_wait_a_moment(night: Night) -> None:
    leaked = night.reads()
    code, _ = night.run("reissue", "exporter", "--reason", "pasted into a chat", "--yes")
    assert code == 0
    assert not night.works(leaked)
    assert night.works(night.reads())
