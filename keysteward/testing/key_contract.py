"""The contract of a target that issues API keys, as tests: what every adapter must do, whatever the vendor.

A target's author subclasses `KeyContract` in a test module and gives it a fixture `profile` that returns a
`KeyProfile`. What the capabilities do not offer is skipped, with the reason. Keys that a test makes are ended by it;
the holder and what others keep there stay as they are.
"""

from __future__ import annotations

import itertools
import json
import pickle
import secrets
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.facets import Suspends, facet, key_capabilities
from keysteward.core.contract.observed import ObservedObject, ObservedSecret
from keysteward.core.contract.ports import (
    Action,
    Claim,
    Issued,
    Material,
    ObjectRef,
    Order,
    Proof,
    Target,
    Verification,
)
from keysteward.core.errors import AccessDenied, KeystewardError, OutcomeUnknown
from keysteward.testing.profile import Profile

__all__ = ["KeyContract", "KeyProfile"]

FEW = 10
"""A target whose holders take fewer keys than this is tried at its limit."""


class KeyProfile(Profile):
    """How to reach one target of keys under test. `holder` exists and may hold keys of others.

    `scopes` are permissions that the target knows.
    """

    holder: str
    scopes: Sequence[str] = ()

    @abstractmethod
    def new_material(self) -> Material:
        """Make a fresh value of the kind the target takes, as its own would look."""

    @abstractmethod
    def foreign_key(self) -> str:
        """Let somebody else make a key at the holder, where there is room; returns its id."""

    @abstractmethod
    def forget_foreign(self, key_id: str) -> None:
        """Let somebody else end that key."""

    def use(self, claim: Claim) -> None:
        """Use a key as its consumer would."""
        self.target.verify(claim)


@dataclass(frozen=True)
class Key:
    """One key under test with everything known about it."""

    id: str
    name: str
    material: Material
    order: Order


class KeyBench:
    """Makes keys at the holder, and ends them at the end."""

    def __init__(self, profile: KeyProfile) -> None:
        self.profile = profile
        self.target = profile.target
        can = key_capabilities(profile.target)
        assert can is not None, "a target under this contract issues keys"
        self.can: Capabilities = can
        self._numbers = itertools.count(1)
        self._run = secrets.token_hex(4)
        self._ids: list[str] = []

    def order(self, **fields: object) -> Order:
        """Return what is asked for one fresh key, as a run would."""
        own = self.can.chooses == "caller"
        given: dict[str, object] = {
            "action": Action.ADD if own else Action.MINT,
            "material": self.profile.new_material() if own else None,
            "name": f"acme/test/key-{self._run} {next(self._numbers)} {secrets.token_hex(8)}",
            "scopes": frozenset(self.profile.scopes[:1]),
            "expires": datetime.now(UTC).replace(microsecond=0) + timedelta(days=90),
            "known": tuple(s.id for s in self.holder().secrets),
        }
        return Order(**{**given, **fields})  # type: ignore[arg-type]

    def issue(self, order: Order) -> Issued:
        """Issue one key at the holder; it is ended at the end."""
        issued = self.target.issue(self.holder().remote_id, order)
        if issued.id is not None:
            self._ids.append(issued.id)
        return issued

    def make(self, **fields: object) -> Key:
        """Issue one key that works."""
        order = self.order(**fields)
        issued = self.issue(order)
        material = issued.material or order.material
        assert material is not None, "a minted key is shown by the call that mints it"
        assert issued.id is not None
        self.profile.settle()
        return Key(issued.id, order.name or "", material, order)

    def holder(self) -> ObservedObject:
        """Read the holder; it must be there."""
        found = self.target.look(ObjectRef(self.profile.holder), self.profile.fingerprint)
        assert found is not None, "the holder is there"
        return found

    def secret(self, key_id: str) -> ObservedSecret | None:
        """Read one key at its holder."""
        self.profile.settle()
        return next((s for s in self.holder().secrets if s.id == key_id), None)

    def claim(self, key: Key, material: Material | None = None, scopes: frozenset[str] | None = None) -> Claim:
        """Return what must hold for a key."""
        asked = key.order.scopes if scopes is None else scopes
        return Claim(self.profile.holder, material or key.material, scopes=asked, token=False, secret_id=key.id)

    def verify(self, key: Key, material: Material | None = None) -> Verification:
        """Verify one key."""
        self.profile.settle()
        return self.target.verify(self.claim(key, material))

    def end(self, key_id: str) -> None:
        """End one key, if it is there."""
        secret = self.secret(key_id)
        if secret is not None:
            self.target.retire(self.holder().remote_id, secret)

    def keep(self, key_id: str) -> None:
        """End a key at the end that the test found."""
        self._ids.append(key_id)

    def clear(self) -> None:
        """End what was made."""
        for key_id in self._ids:
            self.end(key_id)


class KeyContract:
    """Subclass it and give it a fixture `profile`."""

    @pytest.fixture
    def profile(self) -> KeyProfile:
        """Return the target under test."""
        raise NotImplementedError("a subclass gives the fixture `profile`")

    @pytest.fixture
    def bench(self, profile: KeyProfile) -> Iterator[KeyBench]:
        """Return a workbench that is cleared afterwards."""
        bench = KeyBench(profile)
        yield bench
        bench.clear()

    # What is known without a call

    def test_it_is_a_target_that_issues_keys(self, profile: KeyProfile) -> None:
        """Its descriptor is JSON without secrets: it is stored in ledgers and states."""
        target, before = profile.target, profile.calls()
        assert isinstance(target, Target)
        assert json.loads(json.dumps(dict(target.descriptor.settings))) == dict(target.descriptor.settings)
        keys = key_capabilities(target)
        assert keys is not None
        assert keys.methods == ("api_key",)
        assert not profile.missing_facets()
        assert profile.calls() == before

    def test_equal_settings_make_equal_targets_that_survive_pickling(self, profile: KeyProfile) -> None:
        """A declaration is a plain value."""
        copied = pickle.loads(pickle.dumps(profile.target))  # noqa: S301 - our own bytes
        assert copied == profile.target
        assert hash(copied) == hash(profile.target)

    # Holders and their keys

    def test_a_key_is_observed_at_its_holder_in_the_list_and_by_a_look(self, bench: KeyBench) -> None:
        """With its id, what it carries, and never in clear."""
        key = bench.make()
        secret = bench.secret(key.id)
        assert secret is not None
        assert (secret.slot, secret.enabled) == ("key", True)
        assert secret.fingerprint in {None, bench.profile.fingerprint(key.material.canonical.get_secret_value())}
        if bench.can.tags_secrets:
            assert secret.name == key.name
        if "scopes" in bench.can.immutable:
            assert secret.scopes == key.order.scopes
        if "expires" in bench.can.immutable:
            assert secret.expires_at == key.order.expires
        observed = bench.target.observe(bench.profile.fingerprint)
        listed = observed.by_client_id[bench.profile.holder]
        assert listed.holder
        assert not listed.settings.grants
        assert key.id in {s.id for s in listed.secrets}
        value = key.material.value.get_secret_value()
        for shown in (observed, listed, bench.holder(), key.order):
            assert value not in repr(shown)

    def test_a_holder_that_does_not_exist_is_none_and_takes_no_key(self, bench: KeyBench) -> None:
        """Nothing is made on the way."""
        missing = "nobody-of-this-name"
        assert bench.target.look(ObjectRef(missing, missing), bench.profile.fingerprint) is None
        with pytest.raises(KeystewardError):
            bench.target.issue(missing, bench.order())

    def test_two_keys_work_until_the_old_is_retired(self, bench: KeyBench) -> None:
        """And retiring is repeatable; a key of somebody else stays as it is."""
        room = bench.can.secrets > len(bench.holder().secrets) + 2
        foreign = bench.profile.foreign_key() if room else None
        old, new = bench.make(), bench.make()
        assert (bench.verify(old).good, bench.verify(new).good) == (True, True)
        secret = bench.secret(old.id)
        assert secret is not None
        for _ in range(2):
            bench.target.retire(bench.holder().remote_id, secret)
        assert bench.secret(old.id) is None
        assert bench.verify(old).proof in {Proof.REFUSED, Proof.CANNOT}
        assert bench.verify(new).good
        if foreign is not None:
            assert bench.secret(foreign) is not None
            bench.profile.forget_foreign(foreign)

    def test_a_key_ends_by_its_id_alone(self, bench: KeyBench) -> None:
        """A ledger knows no more of a key whose holder was renamed, or is not shown any more."""
        key = bench.make()
        for _ in range(2):
            bench.target.retire("nobody-of-this-name", ObservedSecret(key.id, "key"))
        assert bench.secret(key.id) is None
        assert bench.verify(key).proof in {Proof.REFUSED, Proof.CANNOT}

    def test_a_key_beyond_the_limit_is_refused_in_one_sentence_and_nothing_is_lost(self, bench: KeyBench) -> None:
        """The others go on working."""
        if bench.can.secrets >= FEW:
            pytest.skip("the target has no limit that a test could reach")
        keys = [bench.make() for _ in range(bench.can.secrets - len(bench.holder().secrets))]
        with pytest.raises(KeystewardError) as refused:
            bench.issue(bench.order())
        assert "\n" not in refused.value.message
        assert len(bench.holder().secrets) == bench.can.secrets
        assert all(bench.verify(key).good for key in keys)

    def test_what_a_lost_reply_left_behind_can_be_told(self, bench: KeyBench) -> None:
        """By its name, by its value, or at least as the one that was not there before."""
        lost = bench.profile.lost_reply()
        if lost is None:
            pytest.skip("the profile cannot lose a reply")
        order = bench.order()
        with lost, pytest.raises(OutcomeUnknown):
            bench.issue(order)
        bench.profile.settle()
        left = [s for s in bench.holder().secrets if s.id not in order.known]
        assert len(left) == 1
        bench.keep(left[0].id)
        if order.material is not None:
            again = bench.issue(order)
            assert again.id == left[0].id, "a value of ours is found again and not added twice"
            assert len([s for s in bench.holder().secrets if s.id not in order.known]) == 1
        elif bench.can.tags_secrets:
            assert left[0].name == order.name
        else:
            assert left[0].created_at is not None

    def test_suspending_names_the_keys_and_touches_no_other(self, bench: KeyBench) -> None:
        """Reversibly, and repeatably."""
        if not bench.can.suspends:
            pytest.skip("the target cannot suspend a key")
        old, new = bench.make(), bench.make()
        holder = bench.holder().remote_id
        for _ in range(2):
            facet(bench.target, Suspends).suspend(holder, (old.id,))
        states = {s.id: s.enabled for s in bench.holder().secrets}
        assert (states[old.id], states[new.id]) == (False, True)
        assert bench.verify(old).proof in {Proof.REFUSED, Proof.CANNOT}
        assert bench.verify(new).good
        for _ in range(2):
            facet(bench.target, Suspends).resume(holder, (old.id,))
        assert bench.verify(old).good

    # Proofs

    def test_an_unknown_value_is_refused(self, bench: KeyBench) -> None:
        """Refused, and not merely wrong: a retirement hangs on the difference."""
        key = bench.make()
        assert bench.verify(key, bench.profile.new_material()).proof in {Proof.REFUSED, Proof.CANNOT}

    def test_a_key_that_may_less_than_declared_is_wrong(self, bench: KeyBench) -> None:
        """The reason names what is missing."""
        if "scopes" not in bench.can.immutable or len(bench.profile.scopes) < 2:
            pytest.skip("keys of this target carry no permissions")
        key = bench.make()
        claim = bench.claim(key, scopes=frozenset(bench.profile.scopes[:2]))
        found = bench.target.verify(claim)
        assert found.proof is Proof.WRONG
        assert bench.profile.scopes[1] in found.reason

    def test_the_last_use_of_each_key_is_shown(self, bench: KeyBench) -> None:
        """An old key ends on the evidence that nobody uses it."""
        if bench.can.last_use != "secret":
            pytest.skip("the target does not show the last use of a key")
        silent, used = bench.make(), bench.make()
        bench.profile.use(bench.claim(used))
        shown = {s.id: s.last_used for s in bench.holder().secrets}
        assert shown[used.id] is not None
        assert shown[silent.id] is None

    # Cost and rights

    def test_a_reader_observes_and_may_not_issue(self, bench: KeyBench) -> None:
        """A preview never has more rights than it needs."""
        reader = bench.target.as_reader()
        if reader == bench.target:
            pytest.skip("the profile has no reader of its own")
        key = bench.make()
        assert key.id in {
            s.id for s in reader.observe(bench.profile.fingerprint).by_client_id[bench.profile.holder].secrets
        }
        with pytest.raises(AccessDenied):
            reader.issue(bench.holder().remote_id, bench.order())

    def test_observing_costs_pages_and_not_keys(self, bench: KeyBench) -> None:
        """More keys on the same page cost not one call more."""
        if bench.profile.calls() is None or bench.can.secrets < FEW:
            pytest.skip("the profile does not count calls, or the holder has no room")
        few = bench.profile.cost_of_observing()
        for _ in range(5):
            bench.make()
        assert bench.profile.cost_of_observing() == few

    def test_diagnose_finds_nothing_wrong_with_a_good_set_up(self, bench: KeyBench) -> None:
        """Warnings are allowed; failures are not."""
        checks = list(bench.target.diagnose())
        assert checks
        assert [check for check in checks if not check.ok and not check.warning] == []
