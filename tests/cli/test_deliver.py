"""Keys that a person makes: handed over, proven by a probe, delivered, and ended by a probe or a named person."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from cli_project import Answer, Project
from saas import Saas, serving_saas

from keysteward import Bootstrap, ManualKey, Owners, Transitional
from keysteward.core.record.ledger import Lease, Ledger, dump_ledger
from keysteward.core.record.requests import hold, revoke
from keysteward.testing.memory import MemoryLedgers, MemoryStore

PLACE = "apps/crm"
OWNERS = Owners.model_validate(
    {
        "teams": {"team-billing": {"contact": "billing@example.com"}},
        "people": {
            "ada": {"contact": "ada@example.com"},
            "billing-lead": {"contact": "billing-lead@example.com", "state": "gone"},
        },
    }
)


class Killed(BaseException):
    """The process is gone: nothing that catches errors sees it."""


@dataclass
class Desk:
    """A person with a terminal and an account at the SaaS."""

    project: Project
    saas: Saas

    def key(self, **fields: Any) -> ManualKey:  # noqa: ANN401 - fields of the declaration
        return self.project.key_by_hand(self.saas.url, **fields)

    def declare(self, **fields: Any) -> None:  # noqa: ANN401 - fields of the declaration
        self.project.declare(self.key(**fields))

    def deliver(self, value: str, *words: str) -> Answer:
        return self.project.run("deliver", "crm", "--yes", *words, say=f"{value}\n")

    def ended(self, number: int, *words: str) -> Answer:
        return self.project.run("deliver", "crm", "--ended", str(number), "--yes", *words)

    def reads(self) -> str | None:
        return self.project.store.reads(PLACE)

    def held(self) -> list[str]:
        """Return every value that the store holds, staged ones too."""
        values = [m.value.get_secret_value() for _, m in self.project.store.staging.get(PLACE, {}).values()]
        held = self.project.store.documents.get(PLACE, {}).values()
        return sorted([*values, *(h[1].value.get_secret_value() for h in held if h is not None)])

    def states(self) -> list[str]:
        return self.project.states("crm")

    def ledger(self) -> Ledger:
        return self.project.ledger("crm")

    def write(self, ledger: Ledger) -> None:
        self.project.ledgers.write(f"ledgers/{ledger.identity}", dump_ledger(ledger), ledger.version)

    def twice(self) -> None:
        """Deliver one key and, when it is due, a second one; both live."""
        self.saas.keys |= {"key-one", "key-two"}
        assert self.deliver("key-one").code == 0
        self.project.pass_time(days=90)
        assert self.deliver("key-two").code == 0


@pytest.fixture
def desk(project: Project) -> Iterator[Desk]:
    project.owners = OWNERS
    with serving_saas() as saas:
        made = Desk(project, saas)
        made.declare()
        yield made


# The life of a key


def test_a_declared_key_waits_for_a_person_and_runs_leave_it_alone(desk: Desk) -> None:
    shown = desk.project.run("preview")
    assert "no value was handed over yet" in shown.out
    assert "make one at crm, then run: keysteward deliver crm" in " ".join(shown.out.split())
    assert desk.project.run("up", "--yes").code == 0
    assert desk.project.run("rotate", "--due", "--yes").code == 0
    assert desk.project.ledgers.read("ledgers/acme/demo/crm").document is None
    assert desk.saas.calls == []


def test_the_first_value_is_proven_then_delivered(desk: Desk) -> None:
    desk.saas.keys.add("key-one")
    done = desk.deliver("key-one")
    assert done.code == 0
    assert "issue generation 1 (by hand); deliver generation 1 to secrets:apps/crm" in done.out
    assert desk.reads() == "key-one"
    assert desk.states() == ["1 current"]
    assert desk.ledger().generation(1).evidence == "proven by crm"
    assert "Nothing is due" in desk.project.run("preview").out
    assert "no value was handed over" not in desk.project.run("preview").out


def test_a_rotation_by_a_person_overlaps_and_the_old_key_is_a_finding_until_it_is_refused(desk: Desk) -> None:
    desk.saas.keys |= {"key-one", "key-two"}
    desk.deliver("key-one")
    desk.project.pass_time(days=80)
    assert "a new value is due on 2026-04-0" in desk.project.run("preview").out
    desk.project.pass_time(days=10)
    assert "a new value was due on 2026-04-0" in desk.project.run("up", "--yes").out
    assert desk.states() == ["1 current"], "nobody but a person can make one"

    assert "rotate to generation 2 (a new value was handed over)" in desk.deliver("key-two").out
    assert desk.reads() == "key-two"
    assert desk.states() == ["1 previous", "2 current"]
    assert "may still work" not in desk.project.run("preview").out, "its overlap is not over"
    desk.project.pass_time(days=8)
    shown = " ".join(desk.project.run("up", "--yes").out.split())
    assert "generation 1 may still work at crm, where only a person can end it" in shown
    assert "end it there, then run: keysteward deliver crm --ended 1" in shown

    still = desk.ended(1)
    assert still.code == 1
    assert "generation 1 still works at crm; end it there, then run this again" in " ".join(still.out.split())
    assert desk.states() == ["1 previous", "2 current"]

    desk.saas.keys.remove("key-one")
    done = desk.ended(1)
    assert done.code == 0
    assert desk.states() == ["1 retired", "2 current"]
    assert desk.ledger().generation(1).confirmed == "ended elsewhere: crm refuses it (status 401)"
    assert desk.held() == ["key-two"]
    assert "may still work" not in desk.project.run("preview").out


def test_a_key_whose_value_is_lost_is_ended_by_a_named_person_alone(desk: Desk) -> None:
    desk.twice()
    desk.project.store.documents[PLACE]["previous"] = None
    refused = desk.ended(1)
    assert refused.code == 1
    assert refused.err == (
        "error: acme/demo/crm: generation 1 cannot be tried: no store holds its value any more; nothing was changed; "
        "who ended it at crm says so with --confirmed-by PERSON --reason TEXT\n"
    )
    for words, message in (
        (("--confirmed-by", "ada"), "--confirmed-by and --reason go together"),
        (("--reason", "seen"), "--confirmed-by and --reason go together"),
        (("--confirmed-by", "nobody", "--reason", "seen"), "'nobody' is not in the owners file"),
        (("--confirmed-by", "billing-lead", "--reason", "seen"), "'billing-lead' is gone"),
        (("--confirmed-by", "ada", "--reason", " "), "must not be empty"),
    ):
        assert message in desk.ended(1, *words).err
    assert desk.states() == ["1 previous", "2 current"]

    assert desk.ended(1, "--confirmed-by", "ada", "--reason", "deleted it in the console").code == 0
    assert desk.states() == ["1 retired", "2 current"]
    assert desk.ledger().generation(1).confirmed == "confirmed by ada: deleted it in the console"
    words = [words for step, words in desk.project.entries("crm") if step == "deliver"]
    assert words == ["generation 1 has ended, confirmed by ada: deleted it in the console"]


def test_with_the_system_down_only_a_named_person_ends_a_key_and_nobody_ends_one_that_works(desk: Desk) -> None:
    desk.twice()
    word = ("--confirmed-by", "team-billing", "--reason", "deleted in the console")
    lying = desk.ended(1, *word)
    assert lying.code == 1
    assert "generation 1 still works at crm" in lying.out
    assert desk.held() == ["key-one", "key-two"]

    desk.saas.answers = 404
    unclear = desk.ended(1)
    assert unclear.code == 1
    assert "which is neither ok (200, 204) nor refused (401, 403)" in unclear.err
    assert "--confirmed-by PERSON --reason TEXT" in unclear.err
    assert desk.states() == ["1 previous", "2 current"]
    assert desk.ended(1, *word).code == 0
    assert desk.states() == ["1 retired", "2 current"]
    assert desk.held() == ["key-two"]


def test_the_key_in_use_ended_by_mistake_is_recorded_and_a_living_predecessor_comes_back(desk: Desk) -> None:
    desk.twice()
    desk.saas.keys.remove("key-two")
    done = desk.ended(2)
    assert done.code == 0
    assert desk.states() == ["1 current", "2 retired"]
    assert desk.reads() == "key-one"


def test_when_the_only_key_has_ended_a_new_one_can_be_delivered_or_the_declaration_removed(desk: Desk) -> None:
    desk.saas.keys |= {"key-one", "key-two"}
    desk.deliver("key-one")
    desk.saas.keys.remove("key-one")
    assert desk.ended(1).code == 0
    assert "no value of it works" in desk.project.run("preview").out
    assert desk.deliver("key-two").code == 0
    assert desk.states() == ["1 retired", "2 current"]
    assert desk.reads() == "key-two"


# What is refused


def test_a_probe_that_answers_200_to_anything_proves_nothing_and_nothing_is_written(desk: Desk) -> None:
    desk.saas.accepts_all = True
    refused = desk.deliver("key-one")
    assert refused.code == 1
    assert refused.err == (
        "error: nothing was changed: 'crm': the probe also accepts a made-up value, so it proves nothing; name a URL "
        "that needs the key\n"
    )
    assert desk.project.ledgers.read("ledgers/acme/demo/crm").document is None
    assert desk.held() == []
    assert not any("key-one" in sent for _, sent, _ in desk.saas.calls)
    assert "so it proves nothing" in desk.project.run("doctor").out


def test_a_wrong_value_is_destroyed_and_the_old_one_stays(desk: Desk) -> None:
    desk.saas.keys |= {"key-one", "key-two"}
    desk.deliver("key-one")
    wrong = desk.deliver("key-tow")
    assert wrong.code == 1
    assert (
        "nothing was delivered: the value was not proven: crm refuses it (status 401), and its copy is destroyed"
        in " ".join(wrong.out.split())
    )
    assert desk.held() == ["key-one"]
    assert desk.states() == ["1 current", "2 retired"]
    assert desk.deliver("key-tow", "--json").code == 1
    assert desk.deliver("key-two").code == 0, "two wrong values in a row block nobody"
    assert desk.reads() == "key-two"


def test_the_value_in_use_is_no_new_one(desk: Desk) -> None:
    desk.twice()
    before = desk.ledger()
    assert "this is the value of generation 2, which 'crm' has already; make a new one" in desk.deliver("key-two").err
    assert "this is the value of generation 1, which was replaced" in desk.deliver("key-one").err
    assert desk.ledger() == before


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "no value was given"),
        ("\n", "no value was given"),
        ("one\ntwo\n", "more than one line was given"),
        ("one two\n", "white space, or what is no ASCII character"),
        ("schlüssel\n", "white space, or what is no ASCII character"),
        ("x" * 9_000, "more than 8000 characters were given"),
    ],
)
def test_what_can_be_no_key_is_refused_and_not_repeated(desk: Desk, typed: str, message: str) -> None:
    refused = desk.project.run("deliver", "crm", "--yes", say=typed)
    assert refused.code == 1
    assert message in refused.err
    assert "schl" not in refused.err
    assert desk.project.ledgers.read("ledgers/acme/demo/crm").document is None


def test_what_may_get_no_new_value_is_a_sentence(desk: Desk) -> None:
    desk.saas.keys |= {"key-one", "key-two"}
    desk.deliver("key-one")
    ledger, now = desk.ledger(), desk.project.clock.now
    lease = Lease("ci-7", now + timedelta(minutes=3))
    for changed, message in (
        (revoke(ledger, now, "leaked"), "'crm' is revoked (leaked), so no value is taken; first run: keysteward lift"),
        (hold(ledger, now + timedelta(days=3), "a fair"), "'crm' is held until 2026-01-08 (a fair)"),
        (replace(ledger, lease=lease), "another run (ci-7) works on 'crm' until"),
    ):
        desk.write(replace(changed, version=desk.ledger().version))
        assert message in desk.deliver("key-two").err
    desk.write(replace(ledger, version=desk.ledger().version))
    client = desk.project.client("crm-client")
    for fields, message in (
        ({"expires": date(2026, 1, 9)}, "expires on 2026-01-09, too early for an overlap of 7d"),
        ({"expires": date(2026, 1, 2)}, "expires on 2026-01-02, which is past"),
        ({"decommission": date(2026, 9, 1)}, "is decommissioned on 2026-09-01, so no new value is taken"),
        (
            {"classification": Transitional(migrate_to=client, by=date(2026, 1, 2))},
            "gets no new value: it is transitional: its consumer was to use client crm-client by 2026-01-02",
        ),
    ):
        desk.project.declare(desk.key(**fields), desk.project.client("crm-client"), desk.project.api)
        assert message in desk.deliver("key-two").err
    assert desk.states() == ["1 current"]
    desk.declare(classification=Bootstrap(exchanged_for="a workload identity"))
    assert desk.deliver("key-two").code == 0


def test_names_and_generations_that_do_not_fit_are_sentences(desk: Desk) -> None:
    desk.project.declare(desk.key(), desk.project.api, desk.project.client())
    assert "did you mean crm?" in desk.project.run("deliver", "cmr", "--yes", say="key-one").err
    issued = desk.project.run("deliver", "billing-exporter", "--yes", say="key-one").err
    assert "'billing-exporter' is a M2MClient: target corp issues its values" in issued
    assert "was never delivered" in desk.ended(1).err
    desk.saas.keys.add("key-one")
    desk.deliver("key-one")
    assert "'crm' has no generation 7; it has 1" in desk.ended(7).err
    assert "add --ended N" in desk.project.run("deliver", "crm", "--confirmed-by", "ada", "--reason", "x").err
    desk.project.declare()
    assert "acme/demo/crm is not declared any more" in desk.deliver("key-two").err


def test_it_asks_and_shows_no_value(desk: Desk, at_a_terminal: Callable[[], None]) -> None:
    desk.saas.keys.add("key-one")
    assert "add --yes" in desk.project.run("deliver", "crm", say="key-one\n").err
    assert "needs --yes" in desk.project.run("deliver", "crm", "--json", say="key-one\n").err
    at_a_terminal()
    declined = desk.project.run("deliver", "crm", say="key-one\nn\n")
    assert declined.code == 1
    assert desk.held() == []
    done = desk.project.run("deliver", "crm", say="key-one\ny\n")
    assert done.code == 0
    assert desk.reads() == "key-one"
    assert "key-one" not in declined.out + declined.err + done.out + done.err


def test_programs_read_what_was_done(desk: Desk) -> None:
    desk.saas.keys.add("key-one")
    wrong = desk.deliver("key-eno", "--json")
    assert wrong.code == 1
    [result] = json.loads(wrong.out)["results"]
    assert result["outcome"] == "failed"
    assert "crm refuses it" in result["error"]
    [result] = json.loads(desk.deliver("key-one", "--json").out)["results"]
    assert (result["outcome"], result["generation"], result["delivered_to"]) == ("done", 2, [f"secrets:{PLACE}"])
    [result] = json.loads(desk.ended(2, "--json").out)["results"]
    assert result["outcome"] == "failed"


# Kills


def kill_at(desk: Desk, operation: str) -> Callable[[], None]:
    """Let the process die just after an operation of the store, or before one of the target."""

    def die(seen: str) -> None:
        if seen == operation:
            raise Killed

    desk.project.store.after = die
    return lambda: setattr(desk.project.store, "after", lambda _operation: None)


def test_after_a_kill_behind_staging_the_next_up_goes_on(desk: Desk) -> None:
    desk.saas.keys.add("key-one")
    heal = kill_at(desk, "stage")
    with pytest.raises(Killed):
        desk.deliver("key-one")
    heal()
    assert desk.states() == ["1 intent"]
    assert desk.reads() is None
    desk.project.pass_time(minutes=6)
    done = desk.project.run("up", "--yes")
    assert done.code == 0
    assert desk.states() == ["1 current"]
    assert desk.reads() == "key-one"


def test_after_a_kill_the_same_value_delivered_again_goes_on_as_well(desk: Desk) -> None:
    desk.saas.keys.add("key-one")
    heal = kill_at(desk, "stage")
    with pytest.raises(Killed):
        desk.deliver("key-one")
    heal()
    desk.project.pass_time(minutes=6)
    assert desk.deliver("key-one").code == 0
    assert desk.states() == ["1 current"]


def test_after_a_kill_before_staging_the_next_up_says_to_deliver_it_again(desk: Desk) -> None:
    desk.saas.keys.add("key-one")

    def die(operation: str) -> None:
        if operation == "stage":
            raise Killed

    desk.project.store.before = die
    with pytest.raises(Killed):
        desk.deliver("key-one")
    desk.project.store.before = lambda _operation: None
    assert desk.states() == ["1 intent"]
    desk.project.pass_time(minutes=6)
    done = desk.project.run("up", "--yes")
    assert done.code == 0
    assert desk.states() == ["1 retired"]
    assert desk.ledger().generation(1).evidence == "no value of it was kept; deliver it again"
    assert "no value of it works" in done.out
    assert desk.deliver("key-one").code == 0
    assert desk.states() == ["1 retired", "2 current"]


def strike(desk: Desk, at: int) -> Callable[[], None]:
    """Let the process die at its n-th write to store or ledgers: before it when odd, after it when even."""
    calls = itertools.count(1)

    def die(operation: str) -> None:
        if operation in {"stage", "promote", "discard", "write"} and next(calls) == at:
            raise Killed

    def heal() -> None:
        for port in (desk.project.store, desk.project.ledgers):
            port.before = port.after = lambda _operation: None

    for port in (desk.project.store, desk.project.ledgers):
        port.before = port.after = die
    return heal


def test_after_a_kill_at_any_write_consumers_have_a_key_that_works_and_the_value_can_be_delivered(desk: Desk) -> None:
    desk.saas.keys |= {"key-one", "key-two"}
    for at in itertools.count(1):
        desk.project.store, desk.project.ledgers = MemoryStore("secrets"), MemoryLedgers("ledgers", desk.project.clock)
        desk.declare()
        assert desk.deliver("key-one").code == 0
        heal = strike(desk, at)
        try:
            assert desk.deliver("key-two").code == 0
            died = False
        except Killed:
            died = True
        heal()
        assert desk.reads() in desk.saas.keys
        desk.project.pass_time(minutes=6)
        assert desk.project.run("up", "--yes").code == 0
        assert desk.ledger().unfinished is None
        if desk.reads() == "key-one":
            assert desk.held() == ["key-one"], f"write {at}"
            assert desk.deliver("key-two").code == 0
        assert desk.held() == ["key-one", "key-two"]
        assert [s for s in desk.states() if "retired" not in s][-2:] == [
            "1 previous",
            f"{desk.ledger().next - 1} current",
        ]
        if not died:
            break
    assert at > 14, "each of these writes was struck"


def test_after_a_kill_at_any_write_an_end_is_recorded_once_it_is_said_again(desk: Desk) -> None:
    for at in itertools.count(1):
        desk.project.store, desk.project.ledgers = MemoryStore("secrets"), MemoryLedgers("ledgers", desk.project.clock)
        desk.declare()
        desk.saas.keys = {"key-one", "key-two"}
        assert desk.deliver("key-one").code == desk.deliver("key-two").code == 0
        desk.saas.keys.remove("key-one")
        heal = strike(desk, at)
        try:
            assert desk.ended(1).code == 0
            died = False
        except Killed:
            died = True
        heal()
        assert desk.reads() == "key-two"
        desk.project.pass_time(minutes=6)
        assert desk.project.run("up", "--yes").code == 0
        if desk.states() == ["1 previous", "2 current"]:
            assert desk.ended(1).code == 0
        assert desk.states() == ["1 retired", "2 current"]
        assert desk.held() == ["key-two"]
        if not died:
            break
    assert at > 6, "each of these writes was struck"


def test_a_system_that_is_down_loses_nothing(desk: Desk) -> None:
    desk.saas.keys.add("key-one")
    assert desk.project.run("deliver", "crm", "--yes", say="key-one").code == 0
    desk.saas.keys.add("key-two")
    answered = len(desk.saas.calls)

    def break_down(operation: str) -> None:
        if operation == "stage":
            desk.saas.answers = 404

    desk.project.store.after = break_down
    failed = desk.deliver("key-two")
    desk.project.store.after = lambda _operation: None
    assert failed.code == 1
    assert len(desk.saas.calls) > answered
    assert "the value is kept where no consumer reads, and the next run tries it again" in failed.err
    assert "generation 2 cannot be tried: 127.0.0.1" in failed.err
    assert desk.reads() == "key-one"
    assert desk.held() == ["key-one", "key-two"]
    desk.saas.answers = None
    assert desk.project.run("up", "--yes").code == 0
    assert desk.reads() == "key-two"


# Its end


def test_removing_a_key_that_may_still_work_is_an_error_that_names_the_command(desk: Desk) -> None:
    others = (desk.project.api, desk.project.client())
    desk.project.declare(desk.key(), *others)
    desk.saas.keys.add("key-one")
    desk.deliver("key-one")
    desk.project.declare(*others)
    refused = desk.project.run("up", "--prune", "--yes")
    assert refused.code == 1
    words = " ".join(refused.out.split())
    assert "generation 1 may still work at crm, where only a person can end it; declare it again" in words
    assert "keysteward deliver crm --ended 1, then remove it" in words
    assert desk.reads() == "key-one"

    desk.project.declare(desk.key(), *others)
    desk.saas.keys.clear()
    assert desk.ended(1).code == 0
    desk.project.declare(*others)
    assert desk.project.run("up", "--prune", "--yes").code == 0
    assert desk.held() == []
    assert desk.ledger().closed is not None


def test_a_revoked_or_expired_key_is_a_finding_until_it_has_ended(desk: Desk) -> None:
    desk.saas.keys.add("key-one")
    desk.deliver("key-one")
    revoked = desk.project.run("revoke", "crm", "--all", "--reason", "leaked", "--yes")
    assert revoked.code == 1, "not everything has ended"
    words = " ".join(revoked.out.split())
    assert "only a person can end generation 1: end it in the console of crm now, then run: keysteward deliver" in words
    assert "the next run of anything ends it" not in revoked.out
    assert desk.states() == ["1 retiring"]
    assert "keysteward deliver crm --ended 1" in " ".join(desk.project.run("preview").out.split())
    assert desk.ended(1).code == 1
    desk.saas.keys.clear()
    assert desk.ended(1).code == 0
    assert desk.states() == ["1 retired"]
    assert desk.held() == []


def test_on_its_last_day_a_key_is_to_be_ended_by_a_person(desk: Desk) -> None:
    desk.saas.keys.add("key-one")
    desk.declare(expires=date(2026, 3, 1))
    desk.deliver("key-one")
    desk.project.pass_time(days=60)
    assert "generation 1 may still work at crm" in " ".join(desk.project.run("up", "--yes").out.split())
    desk.saas.keys.clear()
    assert desk.ended(1).code == 0
    assert desk.states() == ["1 retired"]
    assert desk.held() == []


def test_a_leaked_generation_makes_room_for_a_new_one_before_its_end_is_known(desk: Desk) -> None:
    desk.saas.keys |= {"key-one", "key-two"}
    desk.deliver("key-one")
    assert desk.project.run("revoke", "crm", "--generation", "1", "--reason", "leaked", "--yes").code == 1
    assert desk.deliver("key-two").code == 0
    assert desk.reads() == "key-two"
    desk.saas.keys.remove("key-one")
    assert desk.ended(1).code == 0
    assert desk.states() == ["1 retired", "2 current"]


def test_a_new_secret_by_reissue_is_a_persons_work(desk: Desk) -> None:
    desk.saas.keys.add("key-one")
    desk.deliver("key-one")
    refused = desk.project.run("reissue", "crm", "--reason", "pasted", "--yes")
    assert refused.code == 1
    assert "make a new one at crm, then run: keysteward deliver crm" in refused.err


def test_a_leaked_key_is_traced_to_the_person_who_can_end_it(desk: Desk) -> None:
    value = "crm-live-8f14e45fceea167a5a36dedd4bea2543"
    desk.saas.keys.add(value)
    desk.deliver(value)
    traced = desk.project.run("whose", say=value)
    assert traced.code == 2
    words = " ".join(traced.out.split())
    assert "next keysteward deliver crm (once a person has made a new one at crm)" in words
    assert "or keysteward deliver crm --ended 1 (once a person has ended it at crm)" in words
    assert value not in traced.out
    shown = " ".join(desk.project.run("show", "crm").out.split())
    assert "no. state system fingerprint" in shown
    assert "1 current crm " in shown
    assert "for a new one: make it at crm, then run: keysteward deliver crm" in shown
    assert (
        "only a person can end generation 1: end it in the console of crm, then run: keysteward deliver crm --" in shown
    )
    assert "this empties secrets:apps/crm" in shown
    assert "keysteward reissue" not in shown
