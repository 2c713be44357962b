"""A run that fails or stops never ends in silence: a look tells of it, with the reason, until a run gets through."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from bench_world import MINTING, Company
from test_changed_by_hand import client, told
from test_crashes import PHASES, STRATEGIES, Killed, Trap, disarm, strikes
from test_stories import NAME, edit, kinds, running, stranger

from keysteward import RotationSchedule
from keysteward.core.assess.now import failed
from keysteward.core.errors import (
    AccessDenied,
    Conflict,
    KeystewardError,
    LeaseHeld,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unavailable,
    VersionConflict,
)
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.observe.world import MOST_BEGUN
from keysteward.core.plan import planner
from keysteward.core.plan.planner import LONGEST_PLAN, plan
from keysteward.core.plan.steps import Step
from keysteward.core.record.requests import reissue
from keysteward.core.record.steps import Do
from keysteward.testing.memory import MemorySecret

GAP: dict[str, object] = {"accept_gap": True, "rotation": RotationSchedule(every="90d")}


def serious(made: Company) -> list[Finding]:
    if NAME not in made.specs:
        return list(failed(made.reconciler().snapshot.world(NAME, None), made.preview()[NAME]))
    return [f for f in told(made) if f.severity is not Severity.NOTE]


def ask_for_another(made: Company) -> None:
    edit(made, lambda ledger: reissue(ledger, "lost", at=made.clock.now))


@pytest.mark.parametrize("error", [AccessDenied, Conflict, NotFound, Rejected, Unavailable, OutcomeUnknown, Killed])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_whatever_call_fails_a_look_tells_of_it(strategy: str, phase: str, error: type[BaseException]) -> None:
    if phase == "retire" and strategy == "gap":
        pytest.skip("with a gap nothing is left to retire")
    fell = 0
    for at in range(1, strikes(phase, strategy) + 1):
        made = PHASES[phase](*STRATEGIES[strategy])
        Trap(made, error, at, after=False)
        try:
            made.up()
        except (KeystewardError, Killed) as problem:
            known = problem
        else:
            continue
        disarm(made)
        made.pass_time(minutes=6)
        if not made.preview().get(NAME) or not made.preview()[NAME].steps or _not_begun(made):
            continue
        fell += 1
        assert serious(made), (at, known)
        with suppress(KeystewardError):
            made.up()
        made.pass_time(minutes=6)
        made.up()
        assert Kind.FAILED not in {f.kind for f in (told(made) if NAME in made.specs else ())}, "a run got through"
    assert fell


def _not_begun(made: Company) -> bool:
    """Say whether the run died before it did anything but look: nobody was told anything, and nothing has changed."""
    stored = made.ledgers.read(f"ledgers/{NAME}")
    if stored.document is None:
        return False
    ledger = made.ledger()
    return ledger.failed is None and ledger.lease is None and ledger.unfinished is None


def test_a_failure_is_told_with_its_reason_until_a_run_gets_through() -> None:
    made = running()
    made.pass_time(days=91)

    def refuse(operation: str) -> None:
        if operation.startswith("issue"):
            raise Conflict("the client is locked by an administrator")

    made.target.before = refuse
    with pytest.raises(Conflict):
        made.up()
    [finding] = [f for f in told(made) if f.kind is Kind.FAILED]
    assert "the client is locked by an administrator" in finding.message
    assert finding.severity is Severity.WARNING, "its consumer still gets tokens"
    version = made.ledger().version
    for _ in range(3):
        with pytest.raises(Conflict):
            made.up()
    assert made.ledger().failed is not None
    assert made.ledger().version - version <= 3 * 2
    made.target.before = lambda _operation: None
    made.up()
    assert made.ledger().failed is None
    assert told(made) == []


def test_what_failed_and_is_not_due_any_more_is_history() -> None:
    made = running()
    made.pass_time(days=91)
    made.target.before = lambda operation: _raise(Unavailable("gone")) if operation == "look" else None
    with pytest.raises(Unavailable):
        made.up()
    assert Kind.FAILED in {f.kind for f in told(made)}
    made.declare(made.client(auth_method="private_key_jwt", rotation=RotationSchedule(every="180d", overlap="7d")))
    assert not made.preview()[NAME].steps
    assert told(made) == []


def _raise(error: Exception) -> None:
    raise error


def test_another_run_at_work_is_no_failure() -> None:
    made = running()
    made.pass_time(days=91)
    Trap(made, Killed, 8, after=True)
    with suppress(Killed):
        made.up()
    disarm(made)
    with pytest.raises(LeaseHeld):
        made.up()
    assert made.ledger().failed is None
    assert Kind.LEASED in {f.kind for f in told(made)}
    made.pass_time(minutes=6)
    assert "did not finish" in next(f.message for f in told(made) if f.kind is Kind.FAILED)
    made.up()
    assert told(made) == []


def test_a_ledger_that_another_run_writes_meanwhile_notes_no_failure() -> None:
    made = running()
    made.pass_time(days=91)
    made.ledgers.before = lambda operation: _raise(VersionConflict("taken")) if operation == "write" else None
    with pytest.raises(VersionConflict):
        made.up()
    made.ledgers.before = lambda _operation: None
    assert made.ledger().failed is None


# Whatever hides it


def test_what_stops_a_plan_is_told_beside_any_other_error() -> None:
    made = running()
    client(made).client_id = "billing-old"
    stranger(made, "billing")
    problem = made.preview()[NAME].problem
    assert problem is not None
    errors = {f.message for f in told(made) if f.severity is Severity.ERROR}
    assert problem.message in errors
    assert len(errors) == 2


def test_a_secret_that_ended_elsewhere_is_told_although_a_reissue_is_asked_for() -> None:
    made = running()
    client(made).secrets = []
    made.up()
    ask_for_another(made)
    assert made.words().startswith("rotate to generation 2") or "issue generation 2" in made.words()
    assert Kind.ENDED_ELSEWHERE in {f.kind for f in told(made)}


def test_a_block_is_told_although_a_reissue_is_asked_for() -> None:
    made = running()
    made.target.refuse = lambda _claim: "a scope is missing"
    made.pass_time(days=91)
    made.up()
    assert Kind.BLOCKED in kinds(made)
    made.declare(made.client(auth_method="private_key_jwt", purpose="Other"))
    assert Kind.BLOCKED in {f.kind for f in told(made)}


# Keys from elsewhere


def take_keys_from_a_url(made: Company) -> None:
    """Somebody lets our client take its keys from an address: the keys it had are not in force any more."""
    client(made).secrets = [MemorySecret("jwks.url", "theirs", "key", made.clock.now)]
    show = made.target._show

    def shown(item: object, fingerprint: Callable[[str], str] | None) -> object:
        seen = show(item, fingerprint)  # type: ignore[arg-type]
        hidden = tuple(replace(s, fingerprint=None) if s.id == "jwks.url" else s for s in seen.secrets)
        return replace(seen, secrets=hidden)

    made.target._show = shown  # type: ignore[method-assign,assignment]


def test_keys_from_elsewhere_are_told_whatever_was_tried_and_give_way_to_a_persons_word() -> None:
    made = running()
    take_keys_from_a_url(made)
    made.up()
    assert {f.kind for f in serious(made)} == {Kind.ENDED_ELSEWHERE}
    ask_for_another(made)
    assert "in place of what jwks.url gives out" in made.words()
    orders = []
    issue = made.target.issue

    def ordered(remote_id: str, order: object) -> object:
        orders.append(order)
        client(made).secrets = []
        return issue(remote_id, order)  # type: ignore[arg-type]

    made.target.issue = ordered  # type: ignore[method-assign,assignment]
    made.up()
    assert [order.instead for order in orders] == [("jwks.url",)]  # type: ignore[attr-defined]
    assert made.consumer_works()
    assert told(made) == []


def test_an_adopted_client_with_keys_from_elsewhere_begins_nothing_that_could_only_fail() -> None:
    made = Company()
    item = stranger(made, "billing")
    item.settings = replace(item.settings, method="private_key_jwt")
    take_keys_from_a_url(made)
    made.declare(made.client(auth_method="private_key_jwt", adopt="billing"))
    made.up()
    made.pass_time(days=91)
    with pytest.raises(Conflict, match=r"takes its keys from jwks\.url"):
        made.up()
    assert made.states() == ["1 current"]
    assert any("takes its keys from jwks.url" in f.message for f in serious(made))
    ask_for_another(made)
    assert "in place of what jwks.url gives out" in made.words()


def test_keys_from_elsewhere_while_one_is_made_are_seen_before_it_is_issued() -> None:
    made = running()
    made.pass_time(days=91)
    made.target.before = lambda operation: _raise(Conflict("locked")) if operation.startswith("issue") else None
    with pytest.raises(Conflict):
        made.up()
    assert made.states() == ["1 current", "2 intent"]
    made.target.before = lambda _operation: None
    take_keys_from_a_url(made)
    before = len(made.target.calls)
    made.up()
    assert not any(call.startswith("issue") for call in made.target.calls[before:])
    assert made.ledger().generation(2).evidence == "its client now takes its keys from jwks.url"
    assert Kind.ENDED_ELSEWHERE in {f.kind for f in serious(made)}


# No circle


def test_a_regenerated_secret_beside_which_ours_lives_on_is_due_once_and_settles() -> None:
    """A realm whose policy rotates any client, though its target is declared as one that rotates none."""
    made = running(**GAP)
    item = client(made)
    [ours] = item.secrets
    item.secrets = [
        MemorySecret("primary", "by-the-button", "primary", made.clock.now),
        replace(ours, id="rotated", slot="rotated"),
    ]
    assert [s.do for s in made.preview()[NAME].steps].count(Do.BEGIN) == 1
    assert Kind.MISDECLARED in {f.kind for f in told(made)}
    made.up()
    assert made.states() == ["1 retired", "2 current"]
    assert made.consumer_works()
    assert made.words() == ""
    assert told(made) == []


def test_a_day_on_which_a_target_ends_a_secret_before_its_rotation_is_an_error() -> None:
    made = running(**GAP)
    [ours] = client(made).secrets
    ours.expires_at = made.clock.now.replace(month=2)
    [finding] = told(made)
    assert (finding.kind, finding.severity) == (Kind.MISDECLARED, Severity.ERROR)
    ours.expires_at = made.clock.now.replace(year=2036)
    assert [f.severity for f in told(made)] == [Severity.WARNING]


def test_no_run_begins_a_third_generation_and_the_next_one_waits_for_a_person() -> None:
    """Whatever a target does to each new secret: here somebody replaces it in the very call before ours."""
    made = running(**GAP)
    made.pass_time(days=91)

    def replaces(operation: str) -> None:
        if operation == "stage":
            client(made).secrets = [MemorySecret("primary", f"theirs-{made.clock.now}", "primary", made.clock.now)]
            made.clock.sleep(1)

    made.store.before = replaces
    for _ in range(3):
        with suppress(KeystewardError):
            made.up()
        assert len(made.states()) <= 1 + MOST_BEGUN
    assert serious(made)


def test_a_plan_in_circles_is_a_problem_and_nothing_of_it_is_done() -> None:
    made = running()
    made.pass_time(days=91)
    world = made.reconciler().snapshot.world(NAME, made.specs[NAME])
    turning = planner.play(world, lambda _w: Step(Do.RECORD, "record the changed declaration"))
    assert len(turning.steps) == LONGEST_PLAN
    made_plan = planner.plan_from(world, turning)
    assert made_plan.steps == ()
    assert made_plan.problem is not None
    assert "please report this" in made_plan.problem.message
    assert plan(world).problem is None


def test_minted_secrets_that_are_never_proven_stop_after_two() -> None:
    made = running(MINTING, purpose="Invoices")
    made.target.refuse = lambda _claim: "a scope is missing"
    made.pass_time(days=91)
    for _ in range(3):
        made.up()
    assert len(made.states()) == 3
    assert Kind.BLOCKED in {f.kind for f in told(made)}
