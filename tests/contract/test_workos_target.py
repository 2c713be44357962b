"""WorkOS under the contracts: applications and keys at the stand-in, and at the vendor's emulator what that covers.

Every call with the stand-in is held against the vendor's OpenAPI description where that can be had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from keysteward.core.ports import Fingerprint, Material
from keysteward.providers.material import fingerprinter, material_of, new_material
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
