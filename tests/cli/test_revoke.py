"""The worst night: a secret has leaked, and something else is broken as well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bench_world import NAMED_KEYS, TWO_KEYS
from cli_project import OWNERS, Project

from keysteward import RotationSchedule
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.ports import Descriptor
from keysteward.core.errors import OutcomeUnknown, Unavailable
from keysteward.core.findings import Finding
from keysteward.operations.offline.revocations import Marked, keep
from keysteward.providers.local import LocalLedgers
from keysteward.testing.memory import MemoryLedgers, MemorySecret, MemoryStore, MemoryTarget

CARD = ".keysteward/stacks.demo.json"
NAME = "billing-exporter"
PORTS: dict[str, object] = {}


class Kept:
    """Finds a port in memory again by its name: what a real port's settings do for a server."""

    def __new__(cls, name: str) -> Any:  # noqa: ANN401 - one of three ports
        return PORTS[name]

    def as_reader(self) -> object:
        return self


@pytest.fixture(autouse=True)
def _described(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    described = property(lambda port: Descriptor(f"{__name__}:Kept", {"name": port.name}))
    for kind in (MemoryTarget, MemoryStore, MemoryLedgers):
        monkeypatch.setattr(kind, "descriptor", described)
    PORTS.update({p.name: p for p in (project.target, project.store, project.ledgers)})
    yield
    PORTS.clear()


def break_stack(project: Project, text: str = "stack = Stack(") -> None:
    (project.root / "stacks" / "demo.py").write_text(text + "\n", encoding="utf-8")


def mend_stack(project: Project) -> None:
    break_stack(project, "from project_in_memory import stack")


def down(_operation: str) -> None:
    raise Unavailable("no answer")


def working(project: Project) -> list[str]:
    return [s.value for o in project.target.objects.values() if o.enabled for s in o.secrets]


def test_a_leaked_credential_is_ended_at_once_and_stays_ended(project: Project) -> None:
    project.run("up", "--yes")
    done = project.run("revoke", NAME, "--all", "--reason", "pasted into a chat", "--yes")
    assert done.code == 0
    assert "disable client billing-exporter" in done.out
    assert "ended for good: generation 1" in done.out
    assert "its consumers have no working secret now" in done.out
    assert f"keysteward lift {NAME} --reason TEXT" in done.out
    assert working(project) == []
    assert project.store.reads(f"apps/{NAME}") is None

    project.pass_time(days=300)
    assert project.run("up", "--yes").code == 0
    assert working(project) == []
    assert "revoked: pasted into a chat" in project.run("preview").out
    assert project.run("revoke", NAME, "--all", "--reason", "again", "--yes").code == 0, "repeatable"


def test_which_of_it_is_asked_when_it_was_not_said(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=90)
    project.run("up", "--yes")
    asked = project.run("revoke", NAME, "--reason", "leak", "--yes")
    assert asked.code == 1
    assert (
        "which of it? --generation N for one of 1 (previous), 2 (current), or --all; nothing was changed" in asked.err
    )
    assert project.states() == ["1 previous", "2 current"]


def test_with_a_living_generation_consumers_go_back_to_it(project: Project) -> None:
    project.run("up", "--yes")
    first = project.store.reads(f"apps/{NAME}")
    project.pass_time(days=90)
    project.run("up", "--yes")
    done = project.run("revoke", NAME, "--generation", "2", "--reason", "leak", "--yes")
    assert done.code == 0
    assert "generation 1 works; its consumers read it from secrets:apps/billing-exporter" in done.out
    assert project.states() == ["1 current", "2 retired"]
    assert project.store.reads(f"apps/{NAME}") == first


def test_nothing_is_revoked_without_a_reason_a_known_name_and_a_yes(project: Project) -> None:
    assert "was never issued; there is nothing to revoke" in project.run("revoke", NAME, "--all", "-r", "x").err
    project.run("up", "--yes")
    assert "say why" in project.run("revoke", NAME, "--all", "--reason", " ", "--yes").err
    assert f"did you mean {NAME}?" in project.run("revoke", "bulling-exporter", "--all", "-r", "x", "--yes").err
    assert "choose one of them" in project.run("revoke", NAME, "--all", "-g", "1", "-r", "x", "--yes").err
    assert "has no generation 7; it has 1" in project.run("revoke", NAME, "-g", "7", "-r", "x", "--yes").err
    assert "add --yes" in project.run("revoke", NAME, "--all", "-r", "x").err
    assert "needs --yes" in project.run("revoke", NAME, "--all", "-r", "x", "--json").err
    assert "is not the name of a credential" in project.run("revoke", "../../x", "--all", "-r", "x", "--yes").err
    assert project.states() == ["1 current"]


def test_programs_read_what_ended(project: Project) -> None:
    project.run("up", "--yes")
    document = json.loads(project.run("revoke", NAME, "--all", "-r", "leak", "--yes", "--json").out)
    assert document["complete"] is True
    assert (document["ended"], document["left"], document["working"]) == ([1], [], [])
    assert document["identity"] == f"acme/demo/{NAME}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stack = Stack(", "stacks/demo.py, line 1: SyntaxError"),
        ("import a_package_that_is_gone", "No module named 'a_package_that_is_gone'"),
        ("raise SystemExit(3)", "the stack does not load"),
    ],
)
def test_it_works_when_the_stack_does_not_load(project: Project, text: str, said: str) -> None:
    project.run("up", "--yes")
    clients = set(project.target.objects)
    break_stack(project, text)
    assert project.run("preview").code == 1 or "SystemExit" in text

    done = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert said in done.err
    assert f"going on from {CARD}" in done.err
    assert done.code == 0
    assert working(project) == []
    assert set(project.target.objects) == clients, "nothing is deleted"
    assert project.ledger().closed is None

    mend_stack(project)
    assert project.run("up", "--yes").code == 0
    assert working(project) == []


def test_it_works_when_an_owner_is_missing_and_from_a_named_card_in_another_folder(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run("up", "--yes")
    project.declare(project.client(owner="billing-lead"), project.client("mailer"))
    refused = project.run("revoke", NAME, "-g", "1", "-r", "leak")
    assert "owner: 'billing-lead' is gone" in refused.err
    assert "an emergency goes on all the same" in refused.err
    assert "End generation" not in refused.err, "nobody is asked here"

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    done = project.run("revoke", NAME, "--all", "-r", "leak", "--yes", "--card", str(project.root / CARD))
    assert done.code == 0
    assert working(project) == []
    assert "there is no stack card" in project.run("revoke", NAME, "--all", "-r", "x", "--card", "none.json").err


def test_on_the_day_an_owner_leaves_the_declarations_still_count(project: Project) -> None:
    project.run("up", "--yes")
    first = project.store.reads(f"apps/{NAME}")
    project.pass_time(days=90)
    project.run("up", "--yes")
    project.declare(project.api, project.client(owner="billing-lead", access={project.api: ["invoices:read"]}))
    assert project.run("up", "--yes").code == 1
    (project.root / CARD).unlink()

    done = project.run("revoke", NAME, "--generation", "2", "--reason", "leak", "--yes")
    assert done.code == 0, done.err
    assert "warning: M2MClient 'billing-exporter': owner: 'billing-lead' is gone" in done.err
    assert "generation 1 works; its consumers read it from secrets:apps/billing-exporter" in done.out
    assert project.store.reads(f"apps/{NAME}") == first
    assert (project.root / CARD).exists(), "for the night on which it does not load at all"


def test_what_is_wrong_with_the_owners_file_a_rule_or_another_declaration_stops_no_emergency(project: Project) -> None:
    def broken(_stack: object) -> list[Finding]:
        raise RuntimeError

    for number, (declared, fields, said) in enumerate(
        (
            ([project.client("mailer")], {"rules": [broken]}, "a rule of the stack fails (RuntimeError)"),
            ([project.client("mailer"), project.client("mailer")], {}, "has the same name"),
            ([], {"owners": "none.yaml"}, "cannot be read"),
        ),
        start=1,
    ):
        project.declare(project.api, project.client())
        project.run("up", "--yes")
        project.run("lift", NAME, "--reason", "again", "--yes")
        project.owners = str(fields.pop("owners", "")) or OWNERS
        project.declare(project.api, project.client(), *declared, **fields)
        (project.root / CARD).unlink()
        done = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
        project.owners = OWNERS
        assert done.code == 0, done.err
        assert said in done.err
        assert "an emergency goes on all the same" in done.err
        assert working(project) == []
        assert project.states()[-1] == f"{number} retired"


@pytest.mark.parametrize("text", ["[" * 100_000, "5", "null", '{"format": 1', "\udcff", '{"format": 1, "stack": []}'])
def test_a_card_that_is_none_is_told_in_one_sentence(project: Project, text: str) -> None:
    Path("card.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    answer = project.run("revoke", NAME, "--all", "-r", "x", "--card", "card.json")
    assert answer.code == 1
    assert "internal error" not in answer.err
    assert "card.json" in answer.err


def test_without_a_card_it_is_said_how_to_go_on(project: Project) -> None:
    break_stack(project)
    for words in (("--all",), ("--target", "corp")):
        refused = project.run("revoke", NAME, *words, "--reason", "leak", "--yes")
        assert refused.code == 1
        assert "the stack does not load (stacks/demo.py, line 1: SyntaxError" in refused.err
        assert f"there is no stack card {CARD} to go on from" in refused.err
        assert "take it from another clone and name it with --card" in refused.err
        assert "run this in a checkout of the last commit that loads (git worktree add ../loads COMMIT)" in refused.err


def test_the_card_names_references_and_changes_only_when_the_stack_does(project: Project) -> None:
    project.run("preview")
    card = project.root / CARD
    before = card.stat().st_mtime_ns
    assert set(json.loads(card.read_text())) == {"format", "stack", "ledgers", "targets", "stores"}
    project.run("up", "--yes")
    assert card.stat().st_mtime_ns == before
    for text in ("{", "[]", '{"format": 1, "stack": "../x", "ledgers": {}}', '{"format": 2}'):
        card.write_text(text)
        refused = project.run("revoke", NAME, "--all", "-r", "x", "--card", str(card))
        assert refused.code == 1
        assert "card" in refused.err


def test_a_target_that_is_down_is_said_and_the_next_run_ends_it(project: Project) -> None:
    project.run("up", "--yes")
    project.target.before = down
    begun = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert begun.code == 1
    assert "not ended yet: generation 1 (current): no answer" in begun.out
    assert "it is noted in the ledger: the next run of anything ends it" in begun.out
    assert "keysteward revoke billing-exporter --target corp --reason TEXT" in begun.out
    assert "generation 1 may still work for whoever has its secret" in begun.out
    project.target.before = lambda _operation: None
    assert project.run("up", "--yes").code == 0
    assert working(project) == []
    assert project.states() == ["1 retired"]


def test_with_the_ledger_store_down_the_mark_gives_the_right_to_disable(project: Project) -> None:
    project.declare(project.api, project.client(), project.client("mailer"))
    project.run("up", "--yes")
    project.ledgers.before = down
    asked = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert asked.code == 1
    assert "the ledger store does not answer (no answer); disable it by its mark, with --target corp" in asked.err

    done = project.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    assert done.code == 1
    assert "client billing-exporter at target corp: disabled" in done.out
    record = f".keysteward/revoked/acme/demo/{NAME}.json"
    assert f"{record} keeps it" in done.out
    assert {o.client_id: o.enabled for o in project.target.objects.values()} == {NAME: False, "mailer": True}
    kept = json.loads((project.root / record).read_text())
    assert (kept["identity"], kept["reason"], list(kept["disabled"])) == (f"acme/demo/{NAME}", "leak", ["corp"])

    still_down = project.run("up", "--yes")
    assert still_down.code == 1
    assert (project.root / record).exists()

    project.ledgers.before = lambda _operation: None
    assert "was revoked without the ledger store" in project.run("preview").err
    assert project.run("up", "--yes").code == 0
    assert not (project.root / record).exists()
    assert project.ledger().revoked is not None
    assert project.states() == ["1 retired"]
    assert project.states("mailer") == ["1 current"]

    lifted = project.run("lift", NAME, "--reason", "rotated at the vendor", "--yes")
    assert lifted.code == 0
    assert project.states() == ["1 retired", "2 current"]
    assert len(working(project)) == 2


def test_a_target_that_cannot_disable_says_what_to_do_at_its_console(project: Project) -> None:
    project.run("up", "--yes")
    project.can(suspends=False)
    project.ledgers.before = down
    refused = project.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    assert refused.code == 1
    assert "target corp cannot disable a client: end the secrets of billing-exporter in its console" in refused.err
    nothing = project.run("revoke", "mailer", "--target", "corp", "--reason", "leak", "--yes")
    assert nothing.code == 1
    assert "no client there carries the mark of this credential" in nothing.out
    assert "has no target 'prod'; it has corp" in project.run("revoke", NAME, "--target", "prod", "-r", "x").err


@pytest.mark.parametrize("can", [NAMED_KEYS, TWO_KEYS])
def test_from_the_card_keys_are_told_by_their_names_and_never_by_guess(project: Project, can: Capabilities) -> None:
    project.run("up", "--yes")
    project.target.key_capabilities = can
    name = f"acme/demo/{NAME} 1 n0001" if can.tags_secrets else None
    project.target.hold("org-1").secrets.append(MemorySecret("key_1", "value", "key", project.clock.now, name))
    break_stack(project)
    project.ledgers.before = down
    asked = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert "--target corp --reason TEXT (names its keys: they carry no mark)" in asked.err
    done = project.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    assert ("end key key_1 of org-1 in the console of target corp" in done.out) is can.tags_secrets
    assert ("keys of target corp carry neither mark nor name" in done.out) is not can.tags_secrets
    assert len(project.target.objects["org-1"].secrets) == 1


def test_with_everything_up_target_ends_it_all_the_same(project: Project) -> None:
    project.run("up", "--yes")
    done = project.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    assert done.code == 0
    assert "ended for good: generation 1" in done.out
    assert not (project.root / ".keysteward" / "revoked").exists()


def test_a_record_that_cannot_be_read_stops_runs_and_says_so(project: Project) -> None:
    project.run("up", "--yes")
    record = project.root / ".keysteward/revoked/acme/demo/billing-exporter.json"
    record.parent.mkdir(parents=True)
    record.write_text("{")
    moment = "2026-01-01T00:00:00"  # of no time zone
    planted = {"format": 1, "identity": f"acme/demo/{NAME}", "reason": "x", "at": moment, "actor": "x", "disabled": {}}
    for text in ("{", json.dumps(planted), "[" * 100_000):
        record.write_text(text)
        refused = project.run("up", "--yes")
        assert refused.code == 1
        assert "cannot be read as the record of a revocation" in refused.err
        assert record.exists()


def test_a_record_that_cannot_be_read_does_not_stop_an_emergency(project: Project) -> None:
    project.declare(project.api, project.client(), project.client("mailer"))
    project.run("up", "--yes")
    record = project.root / ".keysteward/revoked/acme/demo/mailer.json"
    record.parent.mkdir(parents=True)
    record.write_text("{")
    done = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert done.code == 0, done.err
    assert project.states() == ["1 retired"]
    assert record.exists()


def test_nothing_that_is_wrong_with_another_credential_stops_an_emergency(project: Project) -> None:
    elsewhere = MemoryStore("elsewhere")
    PORTS[elsewhere.name] = elsewhere
    project.declare(project.api, project.client(), project.client("mailer", deliver_to=elsewhere.path("mailer")))
    project.run("up", "--yes")
    elsewhere.before = down
    key = "ledgers/acme/demo/mailer"
    project.ledgers.write(key, {"format": 1, "identity": "acme/demo/mailer"}, project.ledgers.read(key).version)
    assert project.run("up", "--yes").code == 1

    done = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert done.code == 0, done.err
    assert project.states() == ["1 retired"]


KEY = "keys/acme/demo"
DAMAGE: dict[str, tuple[str, int] | None] = {"damaged": ('{"format": 1, "id": "ab", "key": "no!"}', 7), "missing": None}


def damage_key(project: Project, how: str) -> None:
    del project.ledgers.documents[KEY]
    left = DAMAGE[how]
    if left is not None:
        project.ledgers.documents[KEY] = left


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("which", [("--all",), ("--generation", "2")])
def test_without_the_fingerprint_key_a_revocation_is_noted_and_keys_end_by_their_ids(
    project: Project, which: tuple[str, ...], how: str
) -> None:
    project.run("up", "--yes")
    project.run("reissue", NAME, "--reason", "a test", "--grace", "1d", "--yes")
    first, newest = [s.value for o in project.target.objects.values() for s in o.secrets]
    key = project.ledgers.documents[KEY]
    damage_key(project, how)
    done = project.run("revoke", NAME, *which, "--reason", "leak", "--yes")
    assert done.code == int(which[0] != "--all"), done.err
    revoked = project.ledger().revoked
    assert revoked is not None
    assert revoked.reason == "leak"
    assert newest not in working(project)
    assert project.states()[1] == "2 retired"
    assert project.ledgers.documents.get(KEY) == DAMAGE[how], "no other key is made, which would match no ledger"

    if which[0] != "--all":
        assert "the stack's fingerprint key cannot be read: restore the ledger store from a backup" in done.out
        project.ledgers.documents[KEY] = key
        assert project.run("up", "--yes").code == 0
        assert project.states() == ["1 current", "2 retired"]
        assert project.store.reads(f"apps/{NAME}") == first


@pytest.mark.parametrize("how", DAMAGE)
def test_without_the_fingerprint_key_a_secret_in_a_slot_ends_with_all_of_its_client(project: Project, how: str) -> None:
    rotation = RotationSchedule(every="90d", overlap="7d")
    project.can(secrets=2, native_slot=True)
    project.declare(project.api, project.client(auth_method="client_secret", rotation=rotation))
    project.run("up", "--yes")
    project.run("reissue", NAME, "--reason", "a test", "--grace", "1d", "--yes")
    [client] = project.target.objects.values()
    before = {s.value for s in client.secrets}
    assert len(before) == 2
    damage_key(project, how)

    one = project.run("revoke", NAME, "--generation", "2", "--reason", "leak", "--yes")
    assert one.code == 1
    assert "which secret of client billing-exporter is generation 2 cannot be told" in one.out
    assert "or revoke --all" in one.out
    assert {s.value for s in client.secrets} == before, "the one that works is not ended by guess"
    assert project.ledger().revoked is not None
    assert "2 retired" not in project.states(), "nothing is called ended that is not"

    done = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert done.code == 0, done.out
    assert not client.enabled
    assert before & {s.value for s in client.secrets} == set()
    assert project.states() == ["1 retired", "2 retired"]


@pytest.mark.parametrize("which", [("--all",), ("--generation", "2")])
def test_with_its_store_down_a_secret_still_ends_at_its_target(project: Project, which: tuple[str, ...]) -> None:
    project.run("up", "--yes")
    project.run("reissue", NAME, "--reason", "a test", "--grace", "1d", "--yes")
    assert project.states() == ["1 previous", "2 current"]
    newest = project.target.objects[next(iter(project.target.objects))].secrets[-1].value
    project.store.before = down
    begun = project.run("revoke", NAME, *which, "--reason", "leak", "--yes")
    assert begun.code == 1
    assert "no answer" in begun.out
    assert newest not in working(project)
    project.store.before = lambda _operation: None
    assert project.run("revoke", NAME, *which, "--reason", "leak", "--yes").code == 0
    assert "2 retired" in project.states()
    assert (project.states()[0] == "1 current") is (which[0] == "--generation")


def test_what_an_overruled_run_did_is_in_the_audit_log_all_the_same(project: Project) -> None:
    project.run("up", "--yes")
    project.pass_time(days=90)
    asked = []

    def meanwhile(operation: str) -> None:
        if operation.startswith("issue") and not asked:
            asked.append(project.run("revoke", NAME, "--all", "--reason", "leak", "--yes"))

    project.target.after = meanwhile
    overruled = project.run("up", "--yes")
    assert "it was revoked meanwhile (leak)" in overruled.out + overruled.err
    assert [step for step, _ in project.entries()].count("issue") == 1, "of the generation that was begun"
    assert project.run("audit", "verify").code == 0


def test_the_record_of_a_credential_that_was_renamed_since_revokes_it_under_its_new_name(project: Project) -> None:
    project.run("up", "--yes")
    project.ledgers.before = down
    project.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    record = project.root / f".keysteward/revoked/acme/demo/{NAME}.json"
    kept = record.read_text()
    project.ledgers.before = lambda _operation: None
    record.unlink()  # another clone of the project renames it, and knows of no record
    next(iter(project.target.objects.values())).enabled = True
    place = project.store.path(f"apps/{NAME}")
    project.declare(project.api, project.client("exporter", previously=(NAME,), deliver_to=place))
    assert project.run("up", "--yes").code == 0
    assert project.states("exporter") == ["1 current"]

    record.write_text(kept)
    assert project.run("up", "--yes").code == 0
    assert not record.exists()
    assert project.states("exporter") == ["1 retired"]
    assert working(project) == []


def test_what_is_revoked_by_its_mark_while_a_run_notes_the_record_is_noted_next(project: Project) -> None:
    project.run("up", "--yes")
    project.ledgers.before = down
    project.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    project.ledgers.before = lambda _operation: None
    record = project.root / f".keysteward/revoked/acme/demo/{NAME}.json"
    again = iter([Marked("corp", "id-of-the-other", "other", was_enabled=True)])

    def meanwhile(operation: str) -> None:
        if operation == "write":
            for item in again:
                keep(project.root, f"acme/demo/{NAME}", "leak", [item])

    project.ledgers.after = meanwhile
    assert project.run("up", "--yes").code == 0
    assert next(again, None) is None
    assert record.exists(), "what was added meanwhile is another word"
    assert project.run("up", "--yes").code == 0
    assert not record.exists()
    assert [step for step, _ in project.entries()].count("revoke") == 2, "it was removed once all of it was noted"
    assert project.states() == ["1 retired"]


def test_what_stops_half_way_leaves_a_record_of_what_was_disabled(project: Project) -> None:
    project.run("up", "--yes")
    record = project.root / f".keysteward/revoked/acme/demo/{NAME}.json"

    def interrupted(operation: str) -> None:
        if operation in {"read", "write"} and not working(project):
            raise KeyboardInterrupt

    project.ledgers.before = interrupted
    stopped = project.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    assert stopped.code == 130
    assert f"{record.relative_to(project.root)} keeps what was disabled; run the same command again" in stopped.err
    assert json.loads(record.read_text())["reason"] == "leak"
    project.ledgers.before = lambda _operation: None
    assert project.run("up", "--yes").code == 0
    assert project.states() == ["1 retired"]


def test_a_record_that_cannot_be_kept_is_said_with_what_was_disabled(project: Project) -> None:
    project.run("up", "--yes")
    project.ledgers.before = down
    (project.root / ".keysteward" / "revoked").write_text("no folder")
    done = project.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    assert done.code == 1
    assert "client billing-exporter at target corp: disabled" in done.out
    assert "not noted anywhere: no answer" in done.out
    assert "the record of the revocation" in done.out


def test_a_reason_in_bytes_that_are_no_utf8_is_kept_readable(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.ledgers = LocalLedgers("ledgers", path="ledgers.sqlite3", clock=lambda: project.clock.now)  # type: ignore[assignment]
    project.declare(project.api, project.client())
    project.run("up", "--yes")
    project.run("reissue", NAME, "--reason", "a test", "--grace", "7d", "--yes")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_ACTOR", "ren\udce9")
    why = ("--reason", "caf\udce9")
    for words in (
        ("hold", NAME, *why, "--until", "7d"),
        ("release", NAME, *why),
        ("rollback", NAME, *why, "--yes"),
        ("suspend", NAME, *why, "--yes"),
        ("resume", NAME, *why, "--yes"),
        ("revoke", NAME, "--all", *why, "--yes"),
        ("lift", NAME, *why, "--yes"),
        ("reissue", NAME, *why, "--yes"),
    ):
        done = project.run(*words)
        assert done.code == 0, (words, done.err)
    logged = json.loads(project.run("audit", "show", NAME, "--last", "200", "--json").out)["entries"]
    told = [entry for entry in logged if entry["words"] == "caf\\udce9"]
    assert [entry["step"] for entry in told] == [
        *("hold", "release", "rollback", "suspend", "resume", "revoke", "lift", "reissue")
    ]
    assert {entry["author"]["actor"] for entry in told} == {"github:ren\\udce9"}
    assert project.run("audit", "verify").code == 0


def test_nobody_is_told_that_nothing_works_before_its_target_was_asked(project: Project) -> None:
    project.declare(project.api, project.client(), project.client("mailer"))
    project.run("up", "--yes")
    [client] = [o for o in project.target.objects.values() if o.client_id == "mailer"]
    stored = project.ledgers.read("ledgers/acme/demo/mailer")
    assert stored.document is not None
    closed = {**stored.document, "closed": project.clock.now.isoformat()}
    project.ledgers.write("ledgers/acme/demo/mailer", closed, stored.version)
    project.declare(project.api, project.client())

    refused = project.run("revoke", "mailer", "--all", "--reason", "leak", "--yes")
    assert refused.code == 1
    assert "and yet client mailer at target corp carries its mark and works" in refused.err
    assert "keysteward revoke mailer --target corp --reason TEXT disables it" in refused.err
    done = project.run("revoke", "mailer", "--target", "corp", "--reason", "leak", "--yes")
    assert done.code == 0, done.out
    assert "client mailer at target corp: disabled" in done.out
    assert "the word stands in the audit log alone" in done.out
    assert not client.enabled
    assert ("revoke", "leak") in project.entries("mailer")

    nothing = project.run("revoke", "mailer", "--all", "--reason", "leak", "--yes")
    assert "its targets show nothing of it that works" in nothing.err
    project.target.before = down
    unseen = project.run("revoke", "mailer", "--all", "--reason", "leak", "--yes")
    assert "whether anything of it works cannot be told: target corp (no answer)" in unseen.err


def test_what_was_renamed_is_told_by_its_present_name(project: Project) -> None:
    project.run("up", "--yes")
    place = project.store.path(f"apps/{NAME}")
    project.declare(project.api, project.client("exporter", previously=(NAME,), deliver_to=place))
    assert project.run("up", "--yes").code == 0
    refused = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert "it goes on as exporter; to end that run: keysteward revoke exporter --all --reason TEXT" in refused.err


def test_with_the_ledger_store_down_what_is_declared_is_shown_with_the_next_step(project: Project) -> None:
    project.run("up", "--yes")
    project.ledgers.before = down
    how = f"keysteward revoke {NAME} --target corp --reason TEXT"
    for words in (
        ("show", NAME),
        ("suspend", NAME, "--reason", "leak", "--yes"),
        ("reissue", NAME, "--reason", "leak", "--yes"),
        ("revoke", NAME, "--all", "--reason", "leak", "--yes"),
        ("offboard", "team-billing", "--revoke", "--yes"),
    ):
        refused = project.run(*words)
        assert refused.code == 1
        assert "the ledger store does not answer (no answer)" in refused.err, words
        assert how in refused.err, words
    shown = project.run("show", NAME).out
    for known in ("owner: team-billing", "purpose: Nightly invoice export", "corp, client billing-exporter"):
        assert known in shown


def test_a_clock_that_was_ahead_at_one_write_is_told_with_its_cure_and_with_target(project: Project) -> None:
    hours = [0]
    ledgers = LocalLedgers(
        "ledgers", path="ledgers.sqlite3", clock=lambda: project.clock.now + timedelta(hours=hours[0])
    )
    project.ledgers = ledgers  # type: ignore[assignment]
    project.declare(project.api, project.client())
    project.run("up", "--yes")
    hours[0] = 365 * 24
    project.run("hold", NAME, "--until", "800d", "--reason", "x")
    hours[0] = 0
    refused = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert refused.code == 1
    assert "a clock that was ahead wrote the file: put back its last backup, as docs/emergency.md says" in refused.err
    assert f"keysteward revoke {NAME} --target corp --reason TEXT" in refused.err
    done = project.run("revoke", NAME, "--target", "corp", "--reason", "leak", "--yes")
    assert "client billing-exporter at target corp: disabled" in done.out
    assert working(project) == []


def test_a_write_that_fails_is_told_with_what_can_be_done(project: Project) -> None:
    project.run("up", "--yes")

    def full(operation: str) -> None:
        if operation == "write":
            raise Unavailable("the disk is full")

    project.ledgers.before = full
    refused = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert refused.code == 1
    assert "the disk is full" in refused.err
    assert f"keysteward revoke {NAME} --target corp --reason TEXT" in refused.err


def test_lift_asks_and_needs_a_declared_and_revoked_credential(project: Project) -> None:
    assert "was never issued" in project.run("lift", NAME, "--reason", "x", "--yes").err
    project.run("up", "--yes")
    assert "is not revoked; there is nothing to lift" in project.run("lift", NAME, "--reason", "x", "--yes").err
    project.run("revoke", NAME, "--all", "-r", "leak", "--yes")
    assert "say why" in project.run("lift", NAME, "--reason", " ", "--yes").err
    assert "add --yes" in project.run("lift", NAME, "--reason", "x").err
    assert "needs --yes" in project.run("lift", NAME, "--reason", "x", "--json").err
    assert project.states() == ["1 retired"]

    lifted = project.run("lift", NAME, "--reason", "cleared with security", "--yes", "--json")
    assert lifted.code == 0
    assert json.loads(lifted.out)["results"][0]["generation"] == 2
    logged = project.run("audit", "show", NAME).out
    assert "leak" in logged
    assert "cleared with security" in logged
    project.run("revoke", NAME, "--all", "-r", "again", "--yes")
    project.declare(project.api, project.client("mailer"))
    assert "is not declared any more; declare it again, then lift it" in project.run("lift", NAME, "-r", "x").err


def test_what_is_not_declared_any_more_is_revoked_and_not_deleted(project: Project) -> None:
    project.run("up", "--yes")
    project.declare(project.api, project.client("mailer"))
    done = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert done.code == 0
    assert "declare it again and lift it" in done.out
    assert project.states() == ["1 retired"]
    assert [o.enabled for o in project.target.objects.values() if o.client_id == NAME] == [False]
    assert project.ledger().closed is None


def test_the_only_generation_ends_and_the_same_run_issues_the_next(project: Project) -> None:
    project.run("up", "--yes")
    done = project.run("revoke", NAME, "--generation", "1", "--reason", "leak", "--yes")
    assert done.code == 0
    assert "generation 2 works; its consumers read it from secrets:apps/billing-exporter" in done.out
    assert project.states() == ["1 retired", "2 current"]


def test_a_lost_answer_of_the_ledger_store_is_no_lost_word(project: Project) -> None:
    project.run("up", "--yes")
    lost = iter([True])

    def lose_once(operation: str) -> None:
        if operation == "write" and next(lost, False):
            raise OutcomeUnknown("no answer came")

    project.ledgers.after = lose_once
    done = project.run("revoke", NAME, "--all", "--reason", "leak", "--yes")
    assert done.code == 0
    assert working(project) == []
    assert project.states() == ["1 retired"]
