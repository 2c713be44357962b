"""Every target that ships, under the one contract: stand-ins and real servers alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest
from bench_world import ASSIGNING, MINTING, NAMED, NAMED_KEYS, NATIVE, OWN_KEYS, STOCK, TWO_KEYS
from keycloak_realms import MASTER, administrator, rotate_any_client

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.ports import Claim, Fingerprint, Material
from keysteward.core.errors import OutcomeUnknown
from keysteward.host.material import fingerprinter, new_material
from keysteward.providers.keycloak import Keycloak
from keysteward.sandbox.faults import Fault
from keysteward.sandbox.keycloak import KeycloakStandIn
from keysteward.sandbox.keycloak_server import KeycloakServer
from keysteward.testing.key_contract import KeyContract, KeyProfile
from keysteward.testing.memory import Clock, MemorySecret, MemoryTarget
from keysteward.testing.target_contract import TargetContract, TargetProfile

KEYCLOAKS = (
    pytest.param("stand-in", id="keycloak-stand-in"),
    pytest.param("stand-in-rotation", id="keycloak-stand-in-rotation"),
    pytest.param("real_keycloak", id="keycloak", marks=pytest.mark.real("keycloak")),
    pytest.param("real_keycloak_rotation", id="keycloak-rotation", marks=pytest.mark.real("keycloak-rotation")),
    pytest.param(
        "any-client",
        id="keycloak-that-rotates-any-client",
        marks=[pytest.mark.real("keycloak-rotation"), pytest.mark.proof],
    ),
    pytest.param(
        "real_keycloak_older", id="keycloak-older", marks=[pytest.mark.real("keycloak-older"), pytest.mark.proof]
    ),
)
"""Stand-ins, and the fixtures of real servers. `any-client`: a realm whose policy rotates any client, not only marked
ones; 26.8 is said to make that the default.
"""


class KeycloakProfile(TargetProfile):
    def __init__(self, target: Keycloak, stand_in: KeycloakStandIn | None = None) -> None:
        self.target: Keycloak = target
        self.fingerprint: Fingerprint = fingerprinter(b"k" * 32, "k1")
        self._stand_in = stand_in

    def new_material(self, method: str) -> Material:
        return new_material(method)

    def calls(self) -> int | None:
        return None if self._stand_in is None else len(self._stand_in.calls)

    def lost_reply(self) -> AbstractContextManager[None] | None:
        return None if self._stand_in is None else _lost(self._stand_in)

    def write_foreign_field(self, remote_id: str) -> Callable[[], object]:
        self.target._api.put_client(remote_id, {"attributes": {"contact": "team-billing"}})

        def read() -> object:
            client = self.target._api.client(remote_id)
            return client.attributes.get("contact") if client else None

        return read


@contextmanager
def _lost(stand_in: KeycloakStandIn) -> Iterator[None]:
    stand_in.faults.add(Fault(kind="lost_reply", method="POST", path=r"/clients$"))
    yield
    stand_in.faults.clear()


@pytest.fixture(scope="module", params=KEYCLOAKS)
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def keycloak(kind: str, request: pytest.FixtureRequest) -> Iterator[KeycloakStandIn | KeycloakServer]:
    if kind.startswith("stand-in"):
        with KeycloakStandIn(secret_rotation=kind.endswith("rotation")) as stand_in:
            yield stand_in
    else:
        yield request.getfixturevalue("real_keycloak_rotation" if kind == "any-client" else kind)


@pytest.fixture(scope="module")
def realm(kind: str, keycloak: KeycloakStandIn | KeycloakServer, fresh_realm: Callable[..., str]) -> str:
    if isinstance(keycloak, KeycloakStandIn):
        return "demo"
    name = fresh_realm(keycloak.url)
    if kind == "any-client":
        rotate_any_client(keycloak.url, name)
    return name


@pytest.fixture(scope="module")
def reader(keycloak: KeycloakStandIn | KeycloakServer, realm: str) -> str:
    return administrator(keycloak.url, realm, ["view-clients"])


class TestKeycloak(TargetContract):
    @pytest.fixture
    def profile(
        self,
        keycloak: KeycloakStandIn | KeycloakServer,
        realm: str,
        reader: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> KeycloakProfile:
        monkeypatch.setenv("KEYCLOAK_ADMIN", MASTER)
        monkeypatch.setenv("KEYCLOAK_READER", reader)
        stand_in = keycloak if isinstance(keycloak, KeycloakStandIn) else None
        target = Keycloak(
            "corp",
            url=keycloak.url,
            realm=realm,
            admin="env:KEYCLOAK_ADMIN",
            reader="env:KEYCLOAK_READER",
            secret_rotation=keycloak.secret_rotation
            if isinstance(keycloak, KeycloakStandIn)
            else bool(keycloak.features),
        )
        return KeycloakProfile(target, stand_in)


class MemoryProfile(TargetProfile):
    def __init__(self, can: Capabilities) -> None:
        self.clock = Clock()
        self.memory = MemoryTarget("memory", can, self.clock)
        self.target = self.memory
        self.fingerprint: Fingerprint = fingerprinter(b"k" * 32, "k1")

    def new_material(self, method: str) -> Material:
        return new_material(method)

    def calls(self) -> int:
        return len(self.memory.calls)

    def lost_reply(self) -> AbstractContextManager[None]:
        return self._lost()

    @contextmanager
    def _lost(self) -> Iterator[None]:
        def lose(operation: str) -> None:
            if operation == "create":
                raise OutcomeUnknown("the answer was lost")

        self.memory.after = lose
        yield
        self.memory.after = lambda _operation: None


OWN_VALUES = Capabilities(methods=("client_secret",), secrets=2, chooses="caller", suspends=True, tags_objects=True)
MEMORIES = {
    "one-slot": STOCK,
    "rotated-slot": NATIVE,
    "minting": MINTING,
    "named-keys": NAMED,
    "own-values": OWN_VALUES,
    "assigning": replace(ASSIGNING, audience="everything"),
}


class TestMemory(TargetContract):
    """The in-memory target that planner and simulation are tried on keeps the same contract."""

    @pytest.fixture(params=MEMORIES)
    def profile(self, request: pytest.FixtureRequest) -> TargetProfile:
        return MemoryProfile(MEMORIES[request.param])

    def test_equal_settings_make_equal_targets_that_survive_pickling(self) -> None:
        pytest.skip("a target in memory is its own state")


class MemoryKeys(KeyProfile):
    holder = "org-1"
    scopes = ("invoices:read", "invoices:write")

    def __init__(self, can: Capabilities) -> None:
        self.clock = Clock()
        self.memory = MemoryTarget("memory", MINTING, self.clock, can)
        self.memory.hold(self.holder)
        self.target = self.memory
        self.fingerprint: Fingerprint = fingerprinter(b"k" * 32, "k1")

    def new_material(self) -> Material:
        return new_material("api_key")

    def foreign_key(self) -> str:
        self.memory.objects[self.holder].secrets.append(MemorySecret("theirs", "theirs", "key", self.clock.now))
        return "theirs"

    def forget_foreign(self, key_id: str) -> None:
        held = self.memory.objects[self.holder]
        held.secrets = [s for s in held.secrets if s.id != key_id]

    def calls(self) -> int:
        return len(self.memory.calls)

    def lost_reply(self) -> AbstractContextManager[None]:
        return self._lost()

    def use(self, claim: Claim) -> None:
        for secret in self.memory.objects[self.holder].secrets:
            if secret.value == claim.material.value.get_secret_value():
                secret.last_used = self.clock.now

    @contextmanager
    def _lost(self) -> Iterator[None]:
        def lose(operation: str) -> None:
            if operation.startswith("issue"):
                raise OutcomeUnknown("the answer was lost")

        self.memory.after = lose
        yield
        self.memory.after = lambda _operation: None


KEYS = {"named": NAMED_KEYS, "two": TWO_KEYS, "own-values": OWN_KEYS}


class TestMemoryKeys(KeyContract):
    """Keys in memory keep the same contract as those of a vendor."""

    @pytest.fixture(params=KEYS)
    def profile(self, request: pytest.FixtureRequest) -> KeyProfile:
        return MemoryKeys(KEYS[request.param])

    def test_equal_settings_make_equal_targets_that_survive_pickling(self) -> None:
        pytest.skip("a target in memory is its own state")
