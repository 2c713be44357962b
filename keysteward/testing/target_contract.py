"""The contract of a target, as tests: what every adapter must do, whatever the vendor.

A target's author subclasses `TargetContract` in a test module and gives it a fixture `profile` that returns a
`TargetProfile`. What the capabilities do not offer is skipped, with the reason. Every test makes objects of its own and
deletes them, so that a realm or account may be shared.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from keysteward.core.contract.facets import ManagesClients, ManagesScopes, PreparesOverlap, Renaming, Suspends, facet
from keysteward.core.contract.ports import Action, Claim, Material, ObjectRef, Order, Proof, ScopeWant, Target
from keysteward.core.errors import AccessDenied, Conflict, KeystewardError, OutcomeUnknown
from keysteward.testing.target_bench import Made, TargetProfile, Workbench

__all__ = ["TargetContract", "TargetProfile", "Workbench"]

OVERLAP = timedelta(days=7)
METHODS = ("client_secret", "private_key_jwt")


class TargetContract:
    """Subclass it and give it a fixture `profile`."""

    @pytest.fixture
    def profile(self) -> TargetProfile:
        """Return the target under test."""
        raise NotImplementedError("a subclass gives the fixture `profile`")

    @pytest.fixture
    def bench(self, profile: TargetProfile) -> Iterator[Workbench]:
        """Return a workbench that is cleared afterwards."""
        bench = Workbench(profile)
        yield bench
        bench.clear()

    @pytest.fixture(params=METHODS)
    def method(self, request: pytest.FixtureRequest, profile: TargetProfile) -> str:
        """Return each authentication method that the target offers."""
        if request.param not in profile.target.capabilities.methods:
            pytest.skip(f"the target does not offer {request.param}")
        return str(request.param)

    # What is known without a call

    def test_it_is_a_target_and_its_descriptor_is_json_without_secrets(self, profile: TargetProfile) -> None:
        """Descriptors are stored in ledgers and states."""
        target = profile.target
        before = profile.calls()
        assert isinstance(target, Target)
        assert ":" in target.descriptor.kind
        assert json.loads(json.dumps(dict(target.descriptor.settings))) == dict(target.descriptor.settings)
        assert target.token_url
        assert not profile.missing_facets()
        assert set(target.capabilities.methods) & set(METHODS)
        assert profile.calls() == before

    def test_equal_settings_make_equal_targets_that_survive_pickling(self, profile: TargetProfile) -> None:
        """A declaration is a plain value."""
        copied = pickle.loads(pickle.dumps(profile.target))  # noqa: S301 - our own bytes
        assert copied == profile.target
        assert hash(copied) == hash(profile.target)

    # Objects

    def test_what_was_created_is_observed_as_declared_and_again(self, bench: Workbench, method: str) -> None:
        """Apply, observe, expect no difference; and the same in the list and by a look."""
        made = bench.make(method)
        found = bench.look(made)
        assert found.settings == made.want
        assert (found.client_id, found.mark, found.enabled) == (made.client_id, made.mark, True)
        observed = bench.target.observe(bench.profile.fingerprint)
        assert observed.by_id[made.remote_id] == found
        assert observed.by_client_id[made.client_id] == found
        assert bench.target.look(ObjectRef(made.client_id), bench.profile.fingerprint) == found
        bench.clients.update(made.remote_id, made.want, made.mark)
        assert bench.look(made) == found

    def test_an_observation_says_when_it_was_made(self, bench: Workbench) -> None:
        """Absence is proven by the time at which a list started, so it is no later than the target's own clock."""
        observed = bench.target.observe(bench.profile.fingerprint)
        assert observed.target == bench.target.name
        assert observed.started_at.utcoffset() == UTC.utcoffset(None)
        assert observed.clock is None or observed.started_at <= observed.clock

    def test_creating_again_with_the_same_mark_finds_what_was_made(self, bench: Workbench, method: str) -> None:
        """A create may be repeated by the attempt that made it."""
        made = bench.make(method)
        again = bench.clients.create(
            made.client_id, made.want, made.mark, made.material if bench.chooses(method) else None
        )
        assert again.remote_id == made.remote_id
        assert bench.verify(made).proof in {Proof.PROVEN, Proof.READ_BACK, Proof.CANNOT}

    @pytest.mark.parametrize("other", ["identity", "nonce"])
    def test_a_client_id_of_anybody_else_is_a_conflict_and_stays_as_it_is(self, bench: Workbench, other: str) -> None:
        """Not even another attempt of the same credential takes it over."""
        if bench.target.capabilities.assigns_client_id:
            pytest.skip("the target assigns client_ids itself")
        made = bench.make()
        before = bench.look(made)
        with pytest.raises(Conflict, match=made.client_id):
            bench.clients.create(made.client_id, made.want, replace(made.mark, **{other: "somebody-else"}), None)
        assert bench.look(made) == before

    def test_a_client_gets_its_client_id_back_and_never_that_of_another(self, bench: Workbench) -> None:
        """What else it is stays: its remote id, its mark, its secret."""
        target = bench.target
        if not isinstance(target, Renaming):
            pytest.skip("nobody can change a client_id at the target")
        made, other = bench.make(), bench.make()
        before = bench.look(made)
        target.rename(made.remote_id, bench.name("renamed"))
        assert not bench.verify(made).good
        for _ in range(2):
            target.rename(made.remote_id, made.client_id)
        assert bench.look(made) == before
        assert bench.verify(made).good
        with pytest.raises(Conflict):
            target.rename(made.remote_id, other.client_id)
        assert bench.look(made) == before

    def test_a_create_whose_reply_was_lost_is_found_by_the_next(self, bench: Workbench, method: str) -> None:
        """The adapter never sends it twice; the caller does, with the same mark."""
        lost = bench.profile.lost_reply()
        if lost is None:
            pytest.skip("the profile cannot lose a reply")
        want, mark, client_id = bench.want(method), bench.mark(), bench.name("client")
        material = bench.profile.new_material(method) if bench.chooses(method) else None
        with lost, pytest.raises(OutcomeUnknown):
            bench.clients.create(client_id, want, mark, material)
        created = bench.clients.create(client_id, want, mark, material)
        bench.keep(created.remote_id)
        bench.profile.settle()
        found = bench.target.look(ObjectRef(created.client_id, created.remote_id), None)
        assert found is not None
        assert found.mark == mark
        marked = [item.remote_id for item in bench.target.observe(None).objects if item.mark == mark]
        assert marked == [created.remote_id], "nothing is made twice"
        if material is not None:
            assert bench.target.verify(Claim(created.client_id, material)).good

    def test_update_writes_settings_and_mark_and_leaves_secrets_and_foreign_fields(
        self, bench: Workbench, method: str
    ) -> None:
        """Scopes may come, go and change from always to on request."""
        made = bench.make(method)
        foreign = bench.profile.write_foreign_field(made.remote_id)
        lacks = bench.target.capabilities.lacks
        want = replace(
            made.want,
            token_lifetime=None if "token lifetime" in lacks else 600,
            description=None if "description" in lacks else "Something else",
        )
        if "optional scopes" not in lacks:
            asked = made.want.optional_scopes | {bench.scope().name}
            want = replace(want, scopes=asked, optional_scopes=made.want.scopes)
        elif "catalogue" not in lacks:
            want = replace(want, scopes=frozenset({min(made.want.scopes), bench.scope().name}))
        bench.clients.update(made.remote_id, want, made.mark)
        bench.clients.update(made.remote_id, want, made.mark)
        found = bench.look(made)
        assert found.settings == want
        assert found.mark == made.mark
        assert bench.verify(replace(made, want=want)).good
        assert foreign is None or foreign() is not None

    def test_mark_and_release_change_the_mark_alone(self, bench: Workbench) -> None:
        """Adoption writes the mark, release removes it; nothing else moves."""
        made = bench.make()
        before = bench.look(made)
        other = bench.mark()
        bench.clients.mark(made.remote_id, other)
        assert bench.look(made) == replace(before, mark=other)
        bench.clients.release(made.remote_id)
        bench.clients.release(made.remote_id)
        assert bench.look(made) == replace(before, mark=None)

    def test_a_suspended_object_is_refused_until_it_is_resumed(self, bench: Workbench, method: str) -> None:
        """Suspension is the reversible stop."""
        if not bench.target.capabilities.suspends:
            pytest.skip("the target cannot suspend")
        made = bench.make(method)
        for _ in range(2):
            facet(bench.target, Suspends).suspend(made.remote_id)
        assert not bench.look(made).enabled
        assert bench.verify(made).proof is Proof.REFUSED
        for _ in range(2):
            facet(bench.target, Suspends).resume(made.remote_id)
        assert bench.look(made).enabled
        assert bench.verify(made).good

    def test_deleting_what_is_gone_succeeds(self, bench: Workbench) -> None:
        """And what is gone is None, not an error."""
        made = bench.make()
        for _ in range(2):
            bench.clients.delete(made.remote_id)
        bench.profile.settle()
        assert bench.target.look(ObjectRef(made.client_id, made.remote_id), bench.profile.fingerprint) is None
        assert bench.target.look(ObjectRef(made.client_id), bench.profile.fingerprint) is None
        assert made.remote_id not in bench.target.observe(bench.profile.fingerprint).by_id
        assert bench.verify(made).proof in {Proof.REFUSED, Proof.CANNOT}

    # Secrets

    def test_a_secret_is_observed_by_its_fingerprint_and_never_in_clear(self, bench: Workbench, method: str) -> None:
        """Plaintext ends in the adapter."""
        made = bench.make(method)
        observed = bench.target.observe(bench.profile.fingerprint)
        if bench.target.capabilities.readable or method == "private_key_jwt":
            assert observed.by_id[made.remote_id].secret(bench.fingerprint(made.material)) is not None
        _shows_no_value(observed, made.material)
        hidden = bench.target.observe(None).by_id[made.remote_id]
        assert all(secret.fingerprint is None for secret in hidden.secrets)

    def test_a_reader_sees_objects_without_values_and_cannot_write(self, bench: Workbench) -> None:
        """Preview, drift and inventory run with the reader's credential."""
        made = bench.make()
        reader = bench.target.as_reader()
        if reader == bench.target:
            pytest.skip("the profile declares no reader of its own")
        observed = reader.observe(bench.profile.fingerprint)
        assert observed.by_id[made.remote_id].settings == made.want
        _shows_no_value(observed, made.material)
        with pytest.raises(AccessDenied):
            facet(reader, ManagesClients).mark(made.remote_id, bench.mark())
        assert bench.look(made).mark == made.mark

    def test_an_unknown_secret_is_refused(self, bench: Workbench, method: str) -> None:
        """Refused, and not merely wrong: a retirement hangs on the difference."""
        made = bench.make(method)
        assert bench.verify(made, bench.profile.new_material(method)).proof in {Proof.REFUSED, Proof.CANNOT}

    @pytest.mark.parametrize("defect", ["audience", "scope", "optional scope", "lifetime"])
    def test_a_secret_that_works_but_not_as_declared_is_wrong(self, bench: Workbench, defect: str) -> None:
        """The reason says in which way."""
        lacks = bench.target.capabilities.lacks
        if {"optional scope": "optional scopes", "lifetime": "token lifetime"}.get(defect, "catalogue") in lacks:
            pytest.skip(f"the target knows nothing of this: {defect}")
        made = bench.make()
        claim = made.claim()
        wrong = {
            "audience": replace(claim, audiences=("https://other.example.com",)),
            "scope": replace(claim, scopes=claim.scopes | {bench.scope().name}),
            "optional scope": replace(claim, optional_scopes=claim.optional_scopes | {bench.scope().name}),
            "lifetime": replace(claim, token_lifetime=10),
        }[defect]
        found = bench.target.verify(wrong)
        if found.proof in {Proof.CANNOT, Proof.READ_BACK}:
            pytest.skip(f"the target cannot prove it: {found.proof.value}")
        assert found.proof is Proof.WRONG
        assert found.reason

    def test_a_value_of_ours_takes_the_slot(self, bench: Workbench) -> None:
        """SET may be repeated; the value it replaces is refused."""
        if not bench.chooses("client_secret") or "client_secret" not in bench.target.capabilities.methods:
            pytest.skip("the target takes no value of ours")
        if bench.target.capabilities.adds_values:
            pytest.skip("values of ours go beside each other")
        made = bench.make("client_secret")
        new = bench.profile.new_material("client_secret")
        for _ in range(2):
            bench.target.issue(made.remote_id, Order(Action.SET, new))
        found = bench.look(made)
        if bench.target.capabilities.readable:
            assert found.secret(bench.fingerprint(new)) is not None
            assert found.secret(bench.fingerprint(made.material)) is None
        assert bench.verify(made, new).good
        assert bench.verify(made).proof is Proof.REFUSED

    def test_two_values_of_ours_work_until_the_old_is_retired(self, bench: Workbench) -> None:
        """ADD may be repeated, also when nobody can read the value back; a third beside them is refused."""
        if not bench.target.capabilities.adds_values:
            pytest.skip("the target puts no values of ours beside each other")
        made = bench.make("client_secret")
        known = tuple(secret.id for secret in bench.look(made).secrets)
        assert len(known) == 1
        order = Order(Action.ADD, bench.profile.new_material("client_secret"), known=known)
        issued = [bench.target.issue(made.remote_id, order) for _ in range(2)]
        assert issued[0].id == issued[1].id
        assert {secret.id for secret in bench.look(made).secrets} == {*known, issued[0].id}
        assert order.material is not None
        assert (bench.verify(made).good, bench.verify(made, order.material).good) == (True, True)
        if bench.target.capabilities.secrets == len(bench.look(made).secrets):
            there = tuple(secret.id for secret in bench.look(made).secrets)
            third = replace(order, material=bench.profile.new_material("client_secret"), known=there)
            with pytest.raises(KeystewardError) as refused:
                bench.target.issue(made.remote_id, third)
            assert "\n" not in refused.value.message
        _shows_no_value(bench.target.observe(bench.profile.fingerprint), made.material, order.material)
        self._retired(bench, made, known[0], order.material)

    def test_native_overlap_keeps_both_secrets_until_the_old_is_retired(self, bench: Workbench) -> None:
        """Shift, set, both work; retire the rotated one, and again."""
        if not bench.target.capabilities.native_slot:
            pytest.skip("the target has no rotated slot")
        made = bench.make("client_secret")
        for _ in range(2):
            facet(bench.target, PreparesOverlap).prepare(made.remote_id, OVERLAP)
        assert bench.verify(made).good
        bench.target.issue(made.remote_id, Order(Action.SHIFT))
        new = bench.profile.new_material("client_secret")
        bench.target.issue(made.remote_id, Order(Action.SET, new))
        found = bench.look(made)
        rotated = found.slot("rotated")
        assert rotated is not None
        if bench.target.capabilities.readable:
            assert rotated.fingerprint == bench.fingerprint(made.material)
        _shows_no_value(bench.target.observe(bench.profile.fingerprint), made.material, new)
        bench.clients.update(made.remote_id, made.want, made.mark)
        assert (bench.verify(made).good, bench.verify(made, new).good) == (True, True)
        self._retired(bench, made, rotated.id, new)

    def test_two_key_pairs_work_until_the_old_is_retired(self, bench: Workbench) -> None:
        """ADD may be repeated; retiring one leaves the other."""
        if bench.target.capabilities.keys < 2 or "private_key_jwt" not in bench.target.capabilities.methods:
            pytest.skip("the target does not hold two keys")
        made = bench.make("private_key_jwt")
        new = bench.profile.new_material("private_key_jwt")
        issued = [bench.target.issue(made.remote_id, Order(Action.ADD, new)) for _ in range(2)]
        assert issued[0].id == issued[1].id
        found = bench.look(made)
        assert [secret.slot for secret in found.secrets] == ["key", "key"]
        assert (bench.verify(made).good, bench.verify(made, new).good) == (True, True)
        old = found.secret(bench.fingerprint(made.material))
        assert old is not None
        self._retired(bench, made, old.id, new)

    def test_a_key_gives_way_to_ours_when_the_order_names_it(self, bench: Workbench) -> None:
        """Others stay as they are; the same order again changes nothing."""
        if bench.target.capabilities.keys < 2 or "private_key_jwt" not in bench.target.capabilities.methods:
            pytest.skip("the target does not hold two keys")
        made = bench.make("private_key_jwt")
        beside, new = (bench.profile.new_material("private_key_jwt") for _ in range(2))
        bench.target.issue(made.remote_id, Order(Action.ADD, beside))
        old = bench.look(made).secret(bench.fingerprint(made.material))
        assert old is not None
        for _ in range(2):
            bench.target.issue(made.remote_id, Order(Action.ADD, new, instead=(old.id,)))
            assert {secret.id for secret in bench.look(made).secrets} == {beside.kid, new.kid}
        assert (bench.verify(made).good, bench.verify(made, beside).good) == (False, True)
        assert bench.verify(made, new).good

    def test_two_minted_secrets_work_until_the_old_is_retired(self, bench: Workbench) -> None:
        """The server mints and shows once; ids tell the two apart."""
        capabilities = bench.target.capabilities
        if capabilities.chooses == "caller" or capabilities.secrets < 2:
            pytest.skip("the target does not mint a second secret")
        made = bench.make("client_secret")
        before = {secret.id for secret in bench.look(made).secrets}
        issued = bench.target.issue(made.remote_id, Order(Action.MINT, name=bench.name("key")))
        assert issued.material is not None
        assert issued.id in {secret.id for secret in bench.look(made).secrets} - before
        assert (bench.verify(made).good, bench.verify(made, issued.material).good) == (True, True)
        self._retired(bench, made, before.pop(), issued.material)

    def _retired(self, bench: Workbench, made: Made, secret_id: str, successor: Material) -> None:
        """Retire one secret twice: it is refused, the other works, and it shows no more."""
        secret = next(found for found in bench.look(made).secrets if found.id == secret_id)
        for _ in range(2):
            bench.target.retire(made.remote_id, secret)
        assert bench.verify(made).proof is Proof.REFUSED
        assert bench.verify(made, successor).good
        assert secret_id not in {found.id for found in bench.look(made).secrets}

    # The catalogue

    def test_a_scope_is_put_changed_and_dropped_and_each_may_be_repeated(self, bench: Workbench) -> None:
        """By name and mark at first, by remote id later."""
        if "catalogue" in bench.target.capabilities.lacks:
            pytest.skip("the target has no scopes of ours")
        want = ScopeWant(bench.scope_name("invoices:write"), "Create invoices", bench.audience, bench.mark())
        remote_id = facet(bench.target, ManagesScopes).put_scope(want, None)
        bench.forget_scope(remote_id)
        assert facet(bench.target, ManagesScopes).put_scope(want, None) == remote_id
        can = bench.target.capabilities
        other = want.audience if can.qualified_scopes else "https://other.example.com"
        changed = replace(want, description="Create and change invoices", audience=can.audience or other)
        for _ in range(2):
            assert facet(bench.target, ManagesScopes).put_scope(changed, remote_id) == remote_id
        bench.profile.settle()
        found = bench.target.observe(None).scope_by_name[want.name]
        assert (found.description, found.audience, found.mark) == (changed.description, changed.audience, want.mark)
        for _ in range(2):
            facet(bench.target, ManagesScopes).drop_scope(remote_id)
        bench.profile.settle()
        assert want.name not in bench.target.observe(None).scope_by_name

    def test_a_scope_name_of_anybody_else_is_a_conflict(self, bench: Workbench) -> None:
        """Where scope names are global, a name is taken or free."""
        if not bench.target.capabilities.scopes_global:
            pytest.skip("scope names are not global to the target")
        want = bench.scope()
        before = bench.target.observe(None).scope_by_name[want.name]
        with pytest.raises(Conflict, match=want.name):
            facet(bench.target, ManagesScopes).put_scope(replace(want, description="Mine now", mark=bench.mark()), None)
        assert bench.target.observe(None).scope_by_name[want.name] == before

    def test_the_users_of_a_scope_are_seen(self, bench: Workbench) -> None:
        """A scope goes only when nobody has it any more."""
        made = bench.make()
        observed = bench.target.observe(None)
        for name in made.want.scopes | made.want.optional_scopes:
            assert observed.users_of_scope[name] == {made.client_id}

    # Cost and rights

    def test_observing_costs_pages_and_not_objects(self, bench: Workbench) -> None:
        """Five more objects on the same page cost not one call more than the target says."""
        if bench.profile.calls() is None:
            pytest.skip("the profile does not count calls")
        bench.target.observe(bench.profile.fingerprint)
        few = bench.profile.cost_of_observing()
        for _ in range(5):
            bench.make()
        many = bench.profile.cost_of_observing()
        can = bench.target.capabilities
        pages = -(-len(bench.target.observe(None).objects) // can.page_size)
        assert many <= few + pages - 1 + 5 * can.calls_per_object

    def test_diagnose_finds_nothing_wrong_with_a_good_set_up(self, bench: Workbench) -> None:
        """Warnings are allowed; failures are not."""
        for target in {bench.target: None, bench.target.as_reader(): None}:
            checks = list(target.diagnose())
            assert checks
            assert [check for check in checks if not check.ok and not check.warning] == []


def _shows_no_value(shown: object, *materials: Material) -> None:
    """Fail when a repr or a pickle holds a value: what goes to logs, reports and other processes."""
    texts = (repr(shown).encode(), pickle.dumps(shown))
    for material in materials:
        value = material.value.get_secret_value()
        parts = [value] if material.public_jwk is None else [str(json.loads(value)["d"])]
        assert not any(part.encode() in text for part in parts for text in texts), "a value is shown in clear"
