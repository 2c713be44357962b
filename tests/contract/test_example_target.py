"""The example target of docs/adding-a-target.md under both contracts: what it shows is a whole adapter that works."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from ledgerly import ADMIN, READER, LedgerlyStandIn

from keysteward.contract import Fingerprint, Material, Target
from keysteward.host.material import fingerprinter, new_material
from keysteward.sandbox.faults import Fault
from keysteward.testing.key_contract import KeyContract, KeyProfile
from keysteward.testing.target_contract import TargetContract, TargetProfile

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "ledgerly.py"
MOST_LINES = 150


@pytest.fixture(scope="module")
def stand_in() -> Iterator[LedgerlyStandIn]:
    with LedgerlyStandIn() as started:
        yield started


@pytest.fixture
def target(stand_in: LedgerlyStandIn, monkeypatch: pytest.MonkeyPatch) -> Target:
    spec = importlib.util.spec_from_file_location("example_ledgerly", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "example_ledgerly", module)
    spec.loader.exec_module(module)
    monkeypatch.setenv("LEDGERLY_ADMIN", ADMIN)
    monkeypatch.setenv("LEDGERLY_READER", READER)
    made: Target = module.Ledgerly("books", url=stand_in.url, admin="env:LEDGERLY_ADMIN", reader="env:LEDGERLY_READER")
    return made


class _Served:
    def __init__(self, target: Target, stand_in: LedgerlyStandIn) -> None:
        self.target = target
        self.stand_in = stand_in
        self.fingerprint: Fingerprint = fingerprinter(b"k" * 32, "k1")

    def calls(self) -> int:
        return len(self.stand_in.calls)

    def lost_reply(self) -> AbstractContextManager[None]:
        return self._losing()

    @contextmanager
    def _losing(self) -> Iterator[None]:
        self.stand_in.faults.add(Fault(kind="lost_reply", method="POST", path=r"/(owners|secrets)$"))
        yield
        self.stand_in.faults.clear()


class Clients(_Served, TargetProfile):
    def new_material(self, method: str) -> Material:
        return new_material(method)


class Keys(_Served, KeyProfile):
    scopes = ("books:read", "books:write")

    def __init__(self, target: Target, stand_in: LedgerlyStandIn) -> None:
        super().__init__(target, stand_in)
        self.holder = stand_in.account()

    def new_material(self) -> Material:
        return new_material("api_key")

    def foreign_key(self) -> str:
        _, made = self.stand_in.issue(self.holder, {"name": "theirs", "scopes": [], "expires": None})
        assert isinstance(made, dict)
        return str(made["id"])

    def forget_foreign(self, key_id: str) -> None:
        self.stand_in.end(key_id)


class TestClients(TargetContract):
    @pytest.fixture
    def profile(self, target: Target, stand_in: LedgerlyStandIn) -> TargetProfile:
        return Clients(target, stand_in)


class TestKeys(KeyContract):
    @pytest.fixture
    def profile(self, target: Target, stand_in: LedgerlyStandIn) -> KeyProfile:
        return Keys(target, stand_in)


def test_the_example_stays_small() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
