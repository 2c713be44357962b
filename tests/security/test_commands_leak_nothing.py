"""A year at the terminal, emergencies and audit included: no secret in what is said, kept, started or left over."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import onlooker
import pytest
from canary import (
    READER_SECRET,
    RUNNER_SECRET,
    VAULT_RUNNER,
    WRONG_SECRET,
    Evidence,
    Known,
    WatchedKeycloak,
    leaks,
    note_values,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from dynamic_server import RUNNER_ROLES
from saas import serving_saas
from samples import sampled
from story import Story

from keysteward.host.material import new_material
from keysteward.operations import session as sessions
from keysteward.operations.search import files
from keysteward.providers.keycloak import adapter
from keysteward.providers.local import LocalStore
from keysteward.providers.vault import Vault
from keysteward.sandbox.vault import VaultStandIn

BY_HAND = ("hand-canary-3f9c41d07ab25e68", "hand-canary-b86a02e75d1c94f3")
MISTYPED = "hand-canary-3f9c41d07ab25e86"
HOOK_KEY = base64.b64encode(b"webhook-canary-6d21f0a8c3e94b75").decode()
DATES = ("--from", "2020-01-01", "--to", "2099-12-31")


@pytest.fixture
def hook(evidence: Evidence) -> Iterator[str]:
    """Receive what consumers are told: headers and bodies."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            evidence.add("webhook headers", str(self.headers))
            evidence.add("webhook body", body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/reload"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=sampled(["local", "vault"], ["vault"]))
def story(
    request: pytest.FixtureRequest,
    known: Known,
    evidence: Evidence,
    hook: str,
    onlookers: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Story]:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def watched(method: str) -> Any:  # noqa: ANN401 - what new_material returns
        made = new_material(method)
        known.add("generated value", made.value.get_secret_value())
        return made

    monkeypatch.setattr(sessions, "new_material", watched)
    monkeypatch.setattr(adapter, "new_material", watched)
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    known.add("key that signs", key.splitlines()[1])
    known.add("key of the webhook", HOOK_KEY)
    for value in (*BY_HAND, MISTYPED):
        known.add("value handed over", value)
    for name, value in {
        "CANARY_READER": f"reader:{READER_SECRET}",
        "CANARY_RUNNER": f"runner:{RUNNER_SECRET}",
        "CANARY_VAULT_RUNNER": VAULT_RUNNER,
        "CANARY_HOOK": f"whsec_{HOOK_KEY}",
        "CANARY_SIGNING": key,
        "KEYSTEWARD_SIGNING_KEY": "env:CANARY_SIGNING",
        "KEYSTEWARD_DEBUG": "1",
        **onlookers,
    }.items():
        monkeypatch.setenv(name, value)
    with (
        WatchedKeycloak(known, secret_rotation=True) as keycloak,
        VaultStandIn(root_token=VAULT_RUNNER) as vault,
        serving_saas() as saas,
    ):
        keycloak.add_admin("demo", "runner", RUNNER_SECRET, roles=RUNNER_ROLES | {"manage-realm", "view-realm"})
        keycloak.add_admin("demo", "reader", READER_SECRET, roles={"view-clients", "view-realm"})
        local = LocalStore("local", root=folder / "store", key=folder / "age.key")
        store = Vault("vault", url=vault.url, admin="env:CANARY_VAULT_RUNNER")
        ledgers: Any = store.ledgers("keysteward") if request.param == "vault" else local.ledgers()
        made = Story(folder, keycloak, vault, ledgers, local, hook, saas, evidence, known)
        made.write_stack("vault.ledgers('keysteward')" if request.param == "vault" else "local.ledgers()")
        yield made


@pytest.mark.timeout(600)
def test_no_command_leaves_a_secret_anywhere(
    story: Story, known: Known, evidence: Evidence, onlookers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_and_operate(story)
    trace(story, monkeypatch)
    emergency(story)
    prove(story)
    by_itself(story)
    assert story.surprises == []
    story.look_at_stores()
    note_values(known, onlookers)
    for path in (Path(onlookers["CANARY_FILE"]).parent / "seen").iterdir():
        where, _, content = path.read_bytes().partition(b"\n")
        evidence.add(where.decode(), content)

    seen = {where for where, _ in evidence.items}
    for place in (*PLACES, *(IN_VAULT if story.of_vault else ("rows of ledgers.sqlite3",))):
        assert any(where.startswith(place) for where in seen), f"nothing was seen of: {place}"
    assert known.count("generated value") >= 8
    assert known.count("access token") >= 8
    found = leaks(evidence.items, known)
    assert found == [], found
    marks = (b"AGE-SECRET-KEY", b"BEGIN PRIVATE KEY")
    found = [where for where, content in evidence.items for mark in marks if mark in content]
    assert found == [], found


PLACES = (
    *(f"output of {verb}" for verb in ("preview", "up", "rotate", "show", "hold", "suspend", "rollback", "rebuild")),
    *(f"output of {verb}" for verb in ("whose", "reissue", "revoke", "lift", "offboard", "audit", "doctor", "mv")),
    *("output of deliver", "terminal of deliver"),
    *("output of inventory", "file all.csv", "file all.html", "file look.html"),
    *("terminal of up", "terminal of whose", "arguments of keysteward", "log of keysteward", "log of urllib3"),
    *("webhook headers", "webhook body", "file plan.json", "file .keysteward/stacks.canary.json"),
    *("file evidence.csv", "file evidence.md", "file anchors.jsonl", "the git note"),
    *("arguments of git", "environment of git", "cmdline of a process", "environ of a process", "file for a while"),
    *("error ", "terminal of preview"),
)
"""Where a secret could have been: each must have been looked at."""
IN_VAULT = ("file .keysteward/revoked/", "ledger-store document audit/", "ledger-store document heartbeat/")


def plan_and_operate(story: Story) -> None:
    """Plan, approve, carry out, rotate, and use the handles of a quiet day."""
    story.run("doctor")
    story.run("preview", "--save", "plan.json")
    story.run("up", "--plan", "plan.json")
    story.saas.keys |= {*BY_HAND}
    story.run("deliver", "crm", "--yes", stdin=f"{MISTYPED}\n", code=1)
    story.run("deliver", "crm", "--yes", "--json", stdin=f"{BY_HAND[0]}\n")
    story.run("deliver", "crm", "--yes", stdin=f"{BY_HAND[0]}\n", code=1)
    story.run("deliver", "crm", "--yes", stdin=f"{BY_HAND[1]} and more\n", code=1)
    story.run("preview", "--json", "--save", "again.json")
    for words in (("show", "exporter"), ("show", "mailer", "--json")):
        story.run(*words)
    anchor(story)
    story.pass_time(days=91)
    story.run("hold", "turns", "--until", "2099-01-01", "--reason", "a fair")
    story.run("rotate", "--due", "--yes")
    story.run("rollback", "mailer", "--reason", "a try", "--yes")
    story.run("release", "turns")
    story.run("rotate", "--due", "--yes", "--json")
    story.run("suspend", "exporter", "--reason", "a pause", "--yes")
    story.run("show", "exporter")
    story.run("resume", "exporter", "--yes")
    story.run("inventory", "--all")
    story.run("inventory", "--json", "--csv", "all.csv", "--html", "all.html")
    realm = ("--url", story.keycloak.url, "--realm", "demo", "--reader", "env:CANARY_READER")
    story.run("inventory", "--target", "keycloak", *realm, "--html", "look.html")
    story.run("inventory", "--target", "keycloak", *realm, "--secret", "x", code=1)


def trace(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask whose a secret is: on standard input, in a file, in a folder by several processes."""
    leaked = story.folder / "leaked"
    leaked.mkdir()
    for name in ("exporter", "mailer"):
        (leaked / f"{name}.log").write_text(f"ERROR body={story.value(name)}\n")
        story.run("whose", stdin=story.value(name), code=2)
        story.run("whose", "--json", str(leaked / f"{name}.log"), code=2)
    monkeypatch.setattr(files, "ALONE", 0)
    monkeypatch.setattr(files, "processors", lambda: 2)
    assert "2 known secrets" in story.run("whose", "leaked", code=2)
    story.run("whose", story.value("mailer"), code=1)


def emergency(story: Story) -> None:
    """Everything that can go wrong at night."""
    story.run("reissue", "mailer", "--reason", "pasted", "--grace", "1h", "--yes", "--json")
    story.run("revoke", "mailer", "--generation", "1", "--reason", "pasted", "--yes", "--json")
    with story.trouble(story.keycloak, status=500, path="/clients"):
        story.run("revoke", "turns", "--all", "--reason", "abused", "--yes", code=1)
        story.run("preview", code=1)
    story.run("revoke", "turns", "--all", "--reason", "abused", "--yes")
    story.run("lift", "turns", "--reason", "dealt with", "--yes")
    if story.of_vault:
        with story.trouble(story.vault, status=403):
            story.run("revoke", "exporter", "--all", "--reason", "laptop stolen", "--yes", code=1)
            story.run("revoke", "exporter", "--target", "corp", "--reason", "laptop stolen", "--yes", "--json", code=1)
        story.evidence.add_folder(
            story.folder, story.folder / "store", story.folder / "age.key", story.folder / "leaked"
        )
    else:
        story.run("revoke", "exporter", "--target", "corp", "--reason", "laptop stolen", "--yes", "--json")
    story.run("up", "--yes")
    story.run("show", "exporter")
    module = story.folder / "stacks" / "canary.py"
    good = module.read_text()
    module.write_text(f"raise RuntimeError('a bad day')\n{good}")
    story.run("revoke", "exporter", "--all", "--reason", "laptop stolen", "--yes")
    module.write_text(good)
    story.run("lift", "exporter", "--reason", "new laptop", "--yes", "--json")
    story.run("offboard", "team-billing")
    story.run("offboard", "team-billing", "--to", "team-new", "--yes", "--json", code=1)  # it is written in a function
    module.write_text(module.read_text().replace('client("mailer")', 'client("sender")'))
    story.run("mv", "mailer", "sender", "--yes")
    story.forget("turns")
    story.run("rebuild", "--yes")
    story.run("up", "--yes")


def anchor(story: Story) -> None:
    """Anchor the audit log, before time passes: that is done to the ledgers, which then differ from it."""
    story.run("audit", "anchor", "--file", "anchors.jsonl", "--git-note", "HEAD")
    story.run("audit", "verify", "--anchor", "anchors.jsonl", "--anchor", "git-note")
    story.evidence.add("the git note", story.git("notes", "--ref=keysteward", "show"))


def prove(story: Story) -> None:
    """Read the audit log in every way."""
    story.run("audit", "show")
    story.run("audit", "show", "--json", "--last", "200")
    story.run("audit", "anchor", "--file", "more.jsonl", "--git-note", "HEAD", code=2)
    story.run("audit", "verify", "--anchor", "anchors.jsonl", "--anchor", "git-note", code=2)
    story.run("audit", "verify", "--json", code=2)
    story.run("audit", "export", *DATES, "--output", "evidence.csv", code=2)
    story.run("audit", "export", *DATES, "--format", "markdown", "--output", "evidence.md", code=2)


def by_itself(story: Story) -> None:
    """Run in processes of their own: what the system shows of them and of their children is seen, too."""
    story.pass_time(days=91)
    with story.trouble(story.keycloak, status=500, method="PUT", path="/clients/"):
        assert story.start("up", "--yes") == 1
    story.pass_time(minutes=10)
    assert story.start("up", "--yes") == 0
    assert story.start("deliver", "crm", "--yes", stdin=BY_HAND[1].encode()) == 0
    assert story.start("deliver", "crm", "--ended", "2", "--yes") == 1
    story.saas.keys.remove(BY_HAND[0])
    assert story.start("deliver", "crm", "--ended", "2", "--yes") == 0
    assert story.start("preview", CANARY_VAULT_RUNNER=WRONG_SECRET) == 1
    assert story.start("whose", stdin=story.value("turns").encode()) == 2
    big = story.folder / "leaked" / "big.log"
    big.write_text(f"nothing here {'x' * 80}\n" * 100_000 + story.value("turns") + "\n")
    assert story.start("whose", "leaked") == 2
    assert story.start("whose", "--json", "leaked") == 2


# ---- the onlookers themselves


@pytest.mark.usefixtures("onlookers")
@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("call", ["remove", "unlink", "rename", "replace"])
def test_a_file_is_seen_before_it_is_gone(call: str, by_name: bool, evidence: Evidence, tmp_path: Path) -> None:
    path = tmp_path / "for-a-while"
    path.write_text(RUNNER_SECRET)
    words = {"path": path} if call in {"remove", "unlink"} else {"src": path, "dst": tmp_path / "after"}
    if by_name:
        getattr(os, call)(**words)
    else:
        getattr(os, call)(*words.values())
    assert not path.exists()
    assert f"{path}\n{RUNNER_SECRET}".encode() in evidence.of("file for a while")


def test_who_looks_away_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "addaudithook", lambda _hook: pytest.fail("an audit hook cannot be taken away"))
    before = (sys.audit, os.remove, os.unlink, os.rename, os.replace, {*os.supports_dir_fd})
    seen: list[str] = []
    onlooker.look(lambda where, _content: seen.append(where))
    assert os.unlink in os.supports_dir_fd
    path = tmp_path / "for-a-while"
    path.touch()
    path.unlink()
    assert seen == ["file for a while"]
    onlooker.look_away()
    assert before == (sys.audit, os.remove, os.unlink, os.rename, os.replace, os.supports_dir_fd)
    path.touch()
    path.unlink()
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert seen == ["file for a while"]


def test_a_planted_canary_is_found_in_every_new_kind_of_place(
    known: Known, evidence: Evidence, hook: str, onlookers: dict[str, str], tmp_path: Path
) -> None:
    import requests  # noqa: PLC0415

    requests.post(hook, data=RUNNER_SECRET, headers={"X-Note": READER_SECRET}, timeout=10)
    subprocess.run(["git", "version", RUNNER_SECRET], check=False, capture_output=True)
    subprocess.run(["git", "version"], check=True, capture_output=True, env={**os.environ, "GIT_NOTE": VAULT_RUNNER})
    for name in ("plan.json", "evidence.csv", ".keysteward/revoked/acme/exporter.json"):
        path = tmp_path / "planted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"note": RUNNER_SECRET}))
    evidence.add_folder(tmp_path / "planted")
    passing = tmp_path / "passing"
    passing.write_text(RUNNER_SECRET)
    passing.unlink()
    start = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''])"  # whose child is not ours
    environment = {**os.environ, **onlookers, "CANARY_RUNNER": RUNNER_SECRET}
    subprocess.run([sys.executable, "-c", start], check=True, env=environment)
    seen = Path(onlookers["CANARY_FILE"]).parent / "seen"
    for told in seen.iterdir():
        where, _, content = told.read_bytes().partition(b"\n")
        evidence.add(where.decode(), content)
    assert {leak.partition(":")[0] for leak in leaks(evidence.items, known)} >= {
        "webhook body",
        "webhook headers",
        "arguments of git",
        "environment of git",
        "file plan.json",
        "file evidence.csv",
        "file .keysteward/revoked/acme/exporter.json",
        "file for a while",
        "environ of a process",
    }
