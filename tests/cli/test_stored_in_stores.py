"""What an earlier version kept in stores, ledger stores and anchors is read. See tests/stored/README.md."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from aws_server import REGION, AwsServer
from cli_project import Project

from keysteward.core.contract.observed import DeliveredEntry
from keysteward.core.contract.ports import LedgerStore, Store
from keysteward.core.record.ledger import Ledger, dump_ledger, load_ledger
from keysteward.providers.aws import DynamoLedgers, SecretsManager
from keysteward.providers.local import LocalLedgers, LocalStore
from keysteward.providers.vault import Vault, VaultLedgers
from keysteward.sandbox import VaultStandIn

STORED = Path(__file__).parents[1] / "stored"
STEADY, DYING = "apps/steady", "apps/dying"


def stored(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STORED / name).read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Kept:
    """A store and a ledger store that hold what they held then."""

    store: Store
    ledgers: LedgerStore

    def ledger(self, name: str) -> Ledger:
        found = self.ledgers.read(f"ledgers/acme/demo/{name}")
        assert found.document is not None
        return load_ledger(found.document, found.version)


@pytest.fixture(params=["local", "vault", "aws"])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    if request.param == "local":
        yield from local(tmp_path)
    elif request.param == "vault":
        monkeypatch.setenv("STORED_RUNNER", "sandbox-root")
        yield from vault()
    else:
        monkeypatch.setenv("STORED_RUNNER", "AKIAROOT000000000000:of-no-account")
        yield aws(request.getfixturevalue("aws"))


def local(folder: Path) -> Iterator[Kept]:
    shutil.copytree(STORED / "stores" / "local", folder / "local")
    key, database = folder / "local" / "age.key", folder / "local" / "ledgers.sqlite3"
    key.write_text("AGE-SECRET-KEY-1" + (folder / "local" / "key.txt").read_text(encoding="utf-8"), encoding="utf-8")
    key.chmod(0o600)
    then = datetime.fromisoformat((folder / "local" / "now.txt").read_text(encoding="utf-8").strip())
    ledgers = LocalLedgers("ledgers", path=database, clock=lambda: then + timedelta(days=2))
    yield Kept(LocalStore("secrets", root=folder / "local" / "root", key=key), ledgers)
    ledgers.close()


def vault() -> Iterator[Kept]:
    with VaultStandIn() as server:

        def call(path: str, body: object) -> None:
            headers = {"X-Vault-Token": "sandbox-root"}
            requests.post(f"{server.url}/v1/secret/{path}", headers=headers, json=body, timeout=10).raise_for_status()

        for path, entry in stored("stores/vault.json").items():
            settings = {name: entry[name] for name in ("custom_metadata", "max_versions", "cas_required")}
            call(f"metadata/{path}", settings)
            for _ in range(entry["versions"]["last"] - 1):
                call(f"data/{path}", {"data": {}})
            call(f"data/{path}", {"data": entry["versions"]["document"]})
        reached = {"url": server.url, "admin": "env:STORED_RUNNER", "reader": "env:STORED_RUNNER"}
        yield Kept(Vault("secrets", **reached), VaultLedgers("ledgers", **reached))


def aws(server: AwsServer) -> Kept:
    document = stored("stores/aws.json")
    server.make_table()
    table, secrets = server.client("dynamodb"), server.client("secretsmanager")
    for item in document["table"]:
        table.put_item(TableName="keysteward", Item=item)
    for name, secret in document["secrets"].items():
        versions = sorted(secret["versions"].items(), key=lambda version: "AWSCURRENT" in version[1]["stages"])
        for number, (version, held) in enumerate(versions):
            given = {"ClientRequestToken": version, "SecretString": held["text"]}
            if number == 0:
                secrets.create_secret(Name=name, Tags=secret["tags"], **given)
            else:
                secrets.put_secret_value(SecretId=name, VersionStages=held["stages"], **given)
    reached = {"region": REGION, "endpoint_url": server.url}
    credentials = {"admin": "env:STORED_RUNNER", "reader": "env:STORED_RUNNER"}
    return Kept(SecretsManager("secrets", **reached, **credentials), DynamoLedgers("ledgers", **reached, **credentials))


def numbers(*entries: DeliveredEntry | None) -> list[int | None]:
    return [entry and entry.generation for entry in entries]


def test_a_reader_knows_what_was_delivered_and_staged(kept: Kept) -> None:
    found = kept.store.as_reader().delivered([STEADY, DYING])
    assert not any(place.unknown for place in found.values())
    assert {path: place.identity for path, place in found.items()} == {
        STEADY: "acme/demo/steady",
        DYING: "acme/demo/dying",
    }
    assert numbers(found[STEADY].current, found[STEADY].previous, *found[STEADY].staged) == [2, 1]
    assert numbers(found[DYING].current, found[DYING].previous, *found[DYING].staged) == [1, None, 2]


def test_documents_and_ledgers_speak_of_the_same_values(kept: Kept) -> None:
    for name, states in {"steady": ["previous", "current"], "dying": ["current", "verified"]}.items():
        ledger, path = kept.ledger(name), f"apps/{name}"
        assert [g.state.value for g in ledger.generations] == states
        place = kept.store.delivered([path])[path]
        held = {e.generation: e.fingerprint for e in (place.current, place.previous, *place.staged) if e}
        assert held == {g.number: g.fingerprint for g in ledger.generations}
        for generation in ledger.generations:
            value = kept.store.read(path, generation.number)
            assert value is not None
            assert value.canonical.get_secret_value().startswith("minted-")


def test_work_goes_on_where_it_ended(kept: Kept) -> None:
    kept.store.discard(STEADY, "acme/demo/steady", 1)
    kept.store.discard(DYING, "acme/demo/dying", 2)
    found = kept.store.delivered([STEADY, DYING])
    assert numbers(found[STEADY].current, found[STEADY].previous) == [2, None]
    assert numbers(found[DYING].current, *found[DYING].staged) == [1]
    ledger = kept.ledger("steady")
    key = f"ledgers/{ledger.identity}"
    assert kept.ledgers.write(key, dump_ledger(ledger), ledger.version) == ledger.version + 1


def test_the_command_line_verifies_and_shows_what_they_hold(kept: Kept, project: Project) -> None:
    project.store, project.ledgers = kept.store, kept.ledgers  # type: ignore[assignment]
    project.declare(project.api, project.client("steady"), project.client("dying"))
    verified = project.run("audit", "verify")
    assert "every segment is whole and in order, and 3 ledgers agree with that" in verified.out
    wrong = [line for line in verified.out.splitlines() if "✗" in line]
    assert len(wrong) == 1
    assert "waiting: 3 entries wait for the audit log" in wrong[0], "what the dead run left, as long as nobody runs"
    shown = project.run("show", "steady")
    assert shown.code == 0, shown
    assert "secrets:apps/steady" in shown.out


@dataclass(frozen=True)
class State:
    """What a ledger says, and what `show` prints of it."""

    generations: tuple[str, ...]
    shown: str
    holds: Callable[[Ledger], bool]


STATES = {
    "adopted": State(("current",), "(adopted)", lambda one: one.objects[0].adopted and one.objects[0].kept is not None),
    "blocked": State(("retired", "retired"), "the token has no audience", lambda one: one.blocked is not None),
    "by-hand": State(("previous", "current"), "by hand", lambda one: not one.generations[0].endable),
    "leased-with-outbox": State(
        ("current", "intent"), "intent", lambda one: one.lease is not None and len(one.outbox) == 2
    ),
    "one-generation-revoked": State(
        ("retired", "current"), "seen in a log", lambda one: one.revoked is not None and one.revoked.covers(1)
    ),
    "rolled-back": State(("current", "abandoned"), "abandoned", lambda one: one.current is one.generations[0]),
    "suspended-in-overlap": State(("previous", "current"), "nobody knows it", lambda one: one.suspended is not None),
}


def test_every_state_is_expected() -> None:
    assert {path.stem for path in (STORED / "states").iterdir()} == set(STATES)


@pytest.mark.parametrize("name", sorted(STATES))
def test_a_ledger_in_each_state(project: Project, name: str) -> None:
    document, want = stored(f"states/{name}.json"), STATES[name]
    ledger = load_ledger(document, 7)
    assert tuple(g.state.value for g in ledger.generations) == want.generations
    assert want.holds(ledger)
    assert load_ledger(dump_ledger(ledger), 7) == ledger

    project.ledgers.documents = {f"ledgers/{ledger.identity}": (json.dumps(document), 7)}
    if name == "by-hand":
        project.declare(project.key_by_hand("https://crm.example.com"))
    shown = project.run("show", ledger.name)
    assert shown.code == 0, shown
    assert want.shown in shown.out


def test_what_a_dead_run_left_for_the_audit_log_is_moved_into_it(project: Project) -> None:
    document = stored("states/leased-with-outbox.json")
    project.ledgers.documents = {"ledgers/acme/demo/billing-exporter": (json.dumps(document), 7)}
    project.clock.now = datetime.fromisoformat(document["lease"]["until"])
    project.pass_time(minutes=6)
    project.run("hold", "billing-exporter", "--until", "2026-12-01", "--reason", "a look first")
    assert project.ledger().outbox == ()
    words = [words for _, words in project.entries()]
    assert {entry["words"] for entry in document["outbox"]} <= set(words)


def test_anchors_still_vouch_for_their_log(project: Project) -> None:
    documents = stored("anchors/log.json")
    project.ledgers.documents = {key: (json.dumps(document), 7) for key, document in documents.items()}
    anchors = STORED / "anchors" / "anchors.jsonl"
    verified = project.run("audit", "verify", "--anchor", str(anchors))
    assert verified.code == 0, verified
    assert "compared with 2 anchors" in verified.out

    last = max(key for key in documents if key.startswith("audit/"))
    del project.ledgers.documents[last]
    assert project.run("audit", "verify", "--anchor", str(anchors)).code == 2
