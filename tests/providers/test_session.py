"""Sessions: who is dead, what can be revived, one fingerprint key, and how many endings a person has allowed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from keysteward import Limit, M2MClient, Owners, RotationSchedule, Stack
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.errors import Damaged, DeclarationError, LimitExceeded
from keysteward.core.observe.snapshot import ledger_key
from keysteward.core.record.ledger import dump_ledger
from keysteward.operations.descriptors import describe, revive
from keysteward.operations.endings import allow_ending
from keysteward.operations.session import Session
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore
from keysteward.testing.memory import Clock, MemoryLedgers, MemoryTarget

IDENTITY = "acme/prod"

# ---- descriptors


def test_what_is_described_is_revived_without_any_credential(tmp_path: Path) -> None:
    target = Keycloak("corp", url="https://id.example.com", realm="r", admin="env:A", environments=("test",))
    store = LocalStore("local", root=tmp_path, key=tmp_path / "key")
    for port in (target, store, store.ledgers()):
        again = revive(describe(port.descriptor))
        assert type(again) is type(port)
        assert again.descriptor == port.descriptor


@pytest.mark.parametrize(
    "kind",
    ["", ":", "nowhere:Thing", "keysteward.providers.keycloak:Nothing", ".relative:Thing", "no.colon", "..:x"],
)
def test_a_class_that_cannot_be_found_is_one_sentence(kind: str) -> None:
    with pytest.raises(DeclarationError) as error:
        revive({"kind": kind, "settings": {}})
    assert str(error.value) == f"{kind!r} cannot be imported; install the package that provides it"


@pytest.mark.parametrize("kind", ["subprocess:Popen", "os:system", "builtins:eval", "keysteward:Stack"])
def test_what_is_no_port_is_never_called(kind: str, tmp_path: Path) -> None:
    mark = tmp_path / "called"
    with pytest.raises(DeclarationError, match="is neither a target nor a store"):
        revive({"kind": kind, "settings": {"args": ["touch", str(mark)], "command": f"touch {mark}"}})
    assert not mark.exists()


def test_settings_of_another_version_are_one_sentence() -> None:
    with pytest.raises(DeclarationError, match="does not take the settings that were recorded for it; install"):
        revive({"kind": "keysteward.providers.keycloak:Keycloak", "settings": {"name": "corp", "tenant": "x"}})


# ---- the fingerprint key


def test_concurrent_runners_make_one_key_and_a_reader_none(tmp_path: Path) -> None:
    store = LocalStore("local", root=tmp_path, key=tmp_path / "key")
    assert Session(IDENTITY, store.ledgers(), access="reader").fingerprint is None

    def fingerprint(_number: int) -> str:
        made = Session(IDENTITY, store.ledgers(), access="runner").fingerprint
        assert made is not None
        return made("canonical text")

    with ThreadPoolExecutor(8) as threads:
        prints = set(threads.map(fingerprint, range(16)))
    assert len(prints) == 1
    stored = store.ledgers().read(f"keys/{IDENTITY}")
    assert stored.version == 1
    reader = Session(IDENTITY, store.ledgers(), access="reader").fingerprint
    assert reader is not None
    assert reader("canonical text") in prints
    other = Session("acme/test", store.ledgers(), access="runner").fingerprint
    assert other is not None
    assert other("canonical text") not in prints


def test_threads_share_one_snapshot() -> None:
    clock = Clock()
    session = Session(IDENTITY, MemoryLedgers("ledgers", clock), access="runner")
    session.open()
    with ThreadPoolExecutor(4) as threads:
        seen = {id(s) for s in threads.map(lambda _n: session.snapshot, range(16))}
    assert seen == {id(session.credentials.snapshot)} == {id(session.servers.snapshot)}


# ---- endings


class Company:
    """Credentials that work, on a target without last-use times, and a session to end them."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = Clock()
        self.ledgers = MemoryLedgers("ledgers", self.clock)
        self.target = MemoryTarget(
            "idp", Capabilities(methods=("client_secret",), secrets=2, suspends=True), self.clock
        )
        self.store = LocalStore("local", root=tmp_path, key=tmp_path / "key")

    def stack(self, *names: str, environment: str = "production") -> Stack:
        declared = [
            M2MClient(
                name,
                target=self.target,
                owner="team",
                purpose="Test",
                environment=environment,
                rotation=RotationSchedule(every="90d", overlap="7d"),  # type: ignore[arg-type]
                deliver_to=self.store.path(f"apps/{name}"),
            )
            for name in names
        ]
        return Stack(IDENTITY, Owners(), self.ledgers, declared)

    def session(self, limit: Limit | None = None) -> Session:
        session = Session(IDENTITY, self.ledgers, access="runner", limit=limit)
        session.add_ports({"idp": self.target}, {"local": self.store})
        return session

    def up(self, *names: str, environment: str = "production") -> None:
        session = self.session()
        for identity, spec in self.stack(*names, environment=environment).specs.items():
            session.snapshot.add(spec)
            session.credentials.run(identity, spec)

    def end(self, *names: str, limit: Limit | None = None) -> None:
        session = self.session(limit)
        for name in names:
            allow_ending(session, f"{IDENTITY}/{name}")
            session.credentials.run(f"{IDENTITY}/{name}", None)

    def noted(self) -> list[str]:
        document = self.ledgers.read(f"endings/{IDENTITY}").document or {}
        return [e["identity"].rpartition("/")[2] for e in document.get("endings", ())]


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.delenv("KEYSTEWARD_ALLOW_ENDING", raising=False)
    return Company(tmp_path)


JOBS = tuple(f"job-{number}" for number in range(8))


def test_the_limit_counts_the_endings_of_a_day_over_all_sessions(company: Company) -> None:
    company.up(*JOBS, environment="test")
    company.end(*JOBS[:2])
    company.end(JOBS[2])
    with pytest.raises(LimitExceeded, match="4 of 8 credentials would have been ended within a day"):
        company.end(JOBS[3])
    assert company.noted() == [*JOBS[:3]]
    company.clock.advance(timedelta(days=1, seconds=1))
    company.end(JOBS[3])
    assert company.noted() == [JOBS[3]]


def test_an_ending_that_is_tried_again_counts_once(company: Company) -> None:
    company.up(*JOBS, environment="test")
    for _ in range(5):
        allow_ending(company.session(), f"{IDENTITY}/{JOBS[0]}")
    assert company.noted() == [JOBS[0]]


def test_a_limit_of_the_stack_replaces_the_usual_one(company: Company) -> None:
    company.up(*JOBS, environment="test")
    with pytest.raises(LimitExceeded, match=r"1 of 8 .* the limit is 0 or 0%"):
        company.end(JOBS[0], limit=Limit(count=0, share=0.0))
    company.end(*JOBS, limit=Limit(count=100, share=1.0))


def test_production_needs_a_word_for_each(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.up(*JOBS[:3])
    with pytest.raises(LimitExceeded, match="or allow it now with KEYSTEWARD_ALLOW_ENDING=1"):
        company.end(JOBS[0])
    assert company.noted() == []
    monkeypatch.setenv("KEYSTEWARD_ALLOW_ENDING", "1")
    company.end(JOBS[0])
    with pytest.raises(LimitExceeded, match="or allow it now with KEYSTEWARD_ALLOW_ENDING=2"):
        company.end(JOBS[1])
    monkeypatch.setenv("KEYSTEWARD_ALLOW_ENDING", "2")
    company.end(JOBS[1])
    assert len(company.target.objects) == 1


def test_the_word_for_so_many_lifts_the_limit_too(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.up(*JOBS, environment="test")
    monkeypatch.setenv("KEYSTEWARD_ALLOW_ENDING", "5")
    company.end(*JOBS[:5])
    with pytest.raises(LimitExceeded, match="or allow it with KEYSTEWARD_ALLOW_ENDING=6"):
        company.end(JOBS[5])
    assert len(company.target.objects) == 3


def test_what_is_closed_or_only_adopted_ends_nothing_and_is_not_counted(company: Company) -> None:
    company.up(JOBS[0], environment="test")
    company.end(JOBS[0])
    company.end(JOBS[0], "never-there")
    assert company.noted() == [JOBS[0]]
    company.up("kept")
    key = ledger_key(f"{IDENTITY}/kept")
    stored = company.ledgers.read(key)
    ledger = company.session().snapshot.ledgers[f"{IDENTITY}/kept"].with_object(1, adopted=True)
    company.ledgers.write(key, dump_ledger(ledger), stored.version)
    allow_ending(company.session(), f"{IDENTITY}/kept")
    assert company.noted() == [JOBS[0]]


@pytest.mark.parametrize(
    "endings",
    [5, "x", [5], [{}], [{"identity": "a", "at": "soon", "open": 1}], [{"identity": "a", "at": "2026-01-01"}]],
)
def test_while_the_count_of_endings_cannot_be_read_nothing_is_ended(company: Company, endings: object) -> None:
    company.up(JOBS[0], environment="test")
    company.ledgers.write(f"endings/{IDENTITY}", {"format": 1, "endings": endings}, 0)
    with pytest.raises(Damaged, match=r"endings/ and the stack.*restore that document from a backup, or delete it"):
        company.end(JOBS[0])
    assert len(company.target.objects) == 1


@pytest.mark.parametrize("text", ["yes", "-1", "1.5", "²", " "])
def test_a_word_that_is_no_number_is_refused_before_anything_ends(
    company: Company, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    company.up(JOBS[0], environment="test")
    monkeypatch.setenv("KEYSTEWARD_ALLOW_ENDING", text)
    with pytest.raises(DeclarationError) as error:
        company.end(JOBS[0])
    assert str(error.value) == "KEYSTEWARD_ALLOW_ENDING must be a number of credentials, such as 1"
    assert len(company.target.objects) == 1


def test_an_empty_word_is_none(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.up(JOBS[0])
    monkeypatch.setenv("KEYSTEWARD_ALLOW_ENDING", "")
    with pytest.raises(LimitExceeded):
        company.end(JOBS[0])
