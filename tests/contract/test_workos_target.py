"""WorkOS under the contracts: applications and keys at the stand-in, and at the vendor's emulator what that covers.

Every call with the stand-in is held against the vendor's OpenAPI description where that can be had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import requests
from workos_emulator import WorkOSEmulator

from keysteward.core.contract.observed import Mark, ObservedSecret
from keysteward.core.contract.ports import Action, Fingerprint, Material, ObjectRef, Order, ScopeWant
from keysteward.core.errors import AccessDenied, NotFound
from keysteward.host.material import fingerprinter, material_of, new_material
from keysteward.providers.workos import WorkOS
from keysteward.sandbox import WorkOSStandIn
from keysteward.sandbox.faults import Fault
from keysteward.testing.key_contract import KeyContract, KeyProfile
from keysteward.testing.target_contract import TargetContract, TargetProfile

FINGERPRINT = fingerprinter(b"k" * 32, "k1")


def environment(stand_in: WorkOSStandIn, monkeypatch: pytest.MonkeyPatch, **fields: object) -> WorkOS:
    """Return a stand-in's environment as a target; its applications belong to an organization of its own."""
    monkeypatch.setenv("WORKOS_ADMIN", stand_in.api_key)
    given: dict[str, object] = {
        "url": stand_in.url,
        "authkit_domain": stand_in.url,
        "client_id": stand_in.client_id,
        "admin": "env:WORKOS_ADMIN",
        "organization": stand_in.add_organization("Acme"),
    }
    return WorkOS("customers", **{**given, **fields})  # type: ignore[arg-type]


@contextmanager
def lost(stand_in: WorkOSStandIn, path: str) -> Iterator[None]:
    stand_in.faults.add(Fault(kind="lost_reply", method="POST", path=path))
    yield
    stand_in.faults.clear()


class ApplicationProfile(TargetProfile):
    def __init__(self, target: WorkOS, stand_in: WorkOSStandIn) -> None:
        self.target: WorkOS = target
        self.fingerprint: Fingerprint = FINGERPRINT
        self._stand_in = stand_in

    def new_material(self, method: str) -> Material:
        return new_material(method)

    def calls(self) -> int:
        return len(self._stand_in.calls)

    def lost_reply(self) -> AbstractContextManager[None]:
        return lost(self._stand_in, r"/connect/applications$")

    def write_foreign_field(self, remote_id: str) -> Callable[[], object]:
        self.target._api.put_application(remote_id, {"name": "Renamed by hand"})

        def read() -> object:
            application = self.target._api.application(remote_id)
            return application.name if application and application.name == "Renamed by hand" else None

        return read


class KeysProfile(KeyProfile):
    scopes = ("invoices:read", "invoices:write")

    def __init__(self, target: WorkOS, stand_in: WorkOSStandIn) -> None:
        self.target: WorkOS = target
        self.fingerprint: Fingerprint = FINGERPRINT
        self.holder = stand_in.add_organization("Globex")
        for slug in self.scopes:
            stand_in.add_permission(slug)
        self._stand_in = stand_in

    def new_material(self) -> Material:
        return material_of("api_key", f"sk_{new_material('api_key').value.get_secret_value()}")

    def foreign_key(self) -> str:
        return self._stand_in.add_api_key("Made in the widget", organization=self.holder)[0]

    def forget_foreign(self, key_id: str) -> None:
        kept = self._stand_in.environment.api_keys
        found = kept.get(key_id)
        assert found is not None
        kept.drop(found, self._stand_in.clock.now())

    def calls(self) -> int:
        return len(self._stand_in.calls)

    def lost_reply(self) -> AbstractContextManager[None]:
        return lost(self._stand_in, r"/organizations/[^/]+/api_keys$")


class TestWorkOSApplications(TargetContract):
    @pytest.fixture
    def profile(self, workos_stand_in: WorkOSStandIn, monkeypatch: pytest.MonkeyPatch) -> TargetProfile:
        return ApplicationProfile(environment(workos_stand_in, monkeypatch), workos_stand_in)


class TestWorkOSKeys(KeyContract):
    @pytest.fixture
    def profile(self, workos_stand_in: WorkOSStandIn, monkeypatch: pytest.MonkeyPatch) -> KeyProfile:
        return KeysProfile(environment(workos_stand_in, monkeypatch), workos_stand_in)


@pytest.fixture
def emulated(workos_emulator: WorkOSEmulator, monkeypatch: pytest.MonkeyPatch) -> WorkOS:
    """Return the vendor's emulator as a target; it has no AuthKit domain, so nothing here asks for a token."""
    monkeypatch.setenv("WORKOS_ADMIN", workos_emulator.api_key)
    url = workos_emulator.url
    return WorkOS("emulated", url=url, authkit_domain=url, client_id="client_any", admin="env:WORKOS_ADMIN")


class EmulatedProfile(TargetProfile):
    def __init__(self, target: WorkOS) -> None:
        self.target: WorkOS = target
        self.fingerprint: Fingerprint = FINGERPRINT

    def new_material(self, method: str) -> Material:
        return new_material(method)


@pytest.mark.real("workos")
class TestWorkOSAtTheVendorsEmulator:
    """The parts of the contracts that the emulator covers; `tests/workos_emulator.py` lists what it has not."""

    profile = pytest.fixture(lambda _self, emulated: EmulatedProfile(emulated))
    bench = TargetContract.bench
    test_it_is_a_target = TargetContract.test_it_is_a_target_and_its_descriptor_is_json_without_secrets
    test_equal_settings_make_equal_targets = TargetContract.test_equal_settings_make_equal_targets_that_survive_pickling
    test_an_observation_says_when_it_was_made = TargetContract.test_an_observation_says_when_it_was_made

    def test_organizations_are_listed_over_pages_and_each_is_a_holder(
        self, emulated: WorkOS, workos_emulator: WorkOSEmulator
    ) -> None:
        caller = {"Authorization": f"Bearer {workos_emulator.api_key}"}
        for number in range(105):
            body = {"name": f"Customer {number}"}
            requests.post(f"{emulated.url}/organizations", json=body, headers=caller, timeout=10).raise_for_status()
        holders = {o.label: o for o in emulated.observe(FINGERPRINT).objects if o.holder == "organization"}
        assert {f"Customer {number}" for number in range(105)} <= holders.keys()
        first = holders["Customer 0"]
        assert first.secrets == ()
        found = emulated.look(ObjectRef(first.client_id), FINGERPRINT)
        assert found is not None
        assert (found.remote_id, found.holder) == (first.remote_id, "organization")

    def test_a_permission_is_put_found_again_and_dropped_and_gone_is_fine(self, emulated: WorkOS) -> None:
        want = ScopeWant("reports:read", "Read reports", "client_any", Mark("acme/test/reports", "n1"))
        remote_id = emulated.put_scope(want, None)
        found = emulated.observe(None).scope_by_name["reports:read"]
        assert (found.remote_id, found.description, found.mark) == (remote_id, want.description, want.mark)
        for _ in range(2):
            emulated.drop_scope(remote_id)
        assert "reports:read" not in emulated.observe(None).scope_by_name

    def test_what_is_not_there_is_none_and_ending_it_succeeds(self, emulated: WorkOS) -> None:
        nobody = ObjectRef("nobody-of-this-name", "nobody-of-this-name")
        assert emulated.look(nobody, FINGERPRINT) is None
        with pytest.raises(NotFound):
            emulated.issue("nobody-of-this-name", Order(Action.MINT, name="a key"))
        emulated.retire("org_none", ObservedSecret("api_key_none", "key"))
        emulated.retire("conn_app_none", ObservedSecret("secret_none", "key"))

    def test_a_bad_key_is_told_in_one_sentence(self, emulated: WorkOS, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WORKOS_ADMIN", "sk_wrong")
        with pytest.raises(AccessDenied) as refused:
            emulated.observe(None)
        assert refused.value.message.startswith("list organizations: WorkOS refuses the admin key (env:WORKOS_ADMIN);")
        assert "sk_wrong" not in str(refused.value)
