"""The evidence log in a ledger store: several writers, kills and lost replies at every call, and a hint that heals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from audit_bench import OUR_KEY, OURS, STACK, entry, signing
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from vault_server import Server

from keysteward.core.audit.chain import Position, Segment, dump_head, dump_segment, genesis, make_segment
from keysteward.core.audit.verify_log import ExaminedLog, examine_log
from keysteward.core.contract.ports import LedgerStore
from keysteward.core.errors import AccessDenied, OutcomeUnknown, Unavailable, VersionConflict
from keysteward.core.observe.snapshot import ledger_key
from keysteward.core.record.evidence import Entry
from keysteward.core.record.ledger import Ledger, Logged, dump_ledger
from keysteward.core.run.outbox import flush
from keysteward.operations.audit.log import LARGEST_SEGMENT, AuditLog
from keysteward.operations.audit.signing import Signer
from keysteward.providers.local import LocalLedgers
from keysteward.sandbox import VaultStandIn
from keysteward.testing.memory import Clock, MemoryLedgers

if TYPE_CHECKING:
    from real_servers import RealVault


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def signer(monkeypatch: pytest.MonkeyPatch) -> Signer:
    private = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    monkeypatch.setenv("TEST_SIGNING_KEY", pem.decode())
    return Signer({"KEYSTEWARD_SIGNING_KEY": "env:TEST_SIGNING_KEY"})


@pytest.fixture
def ledgers() -> MemoryLedgers:
    return MemoryLedgers("ledgers", Clock())


class Counting:
    """Counts the calls of a ledger store by a hook, and may fail one of them."""

    def __init__(self, ledgers: MemoryLedgers) -> None:
        self.calls: list[str] = []
        self.ledgers = ledgers
        ledgers.before = self.calls.append

    def fail(self, moment: str, number: int, error: BaseException) -> None:
        """Let the call of that number (from 1) fail before or after its work."""
        done = {"calls": 0}

        def fault(_operation: str) -> None:
            done["calls"] += 1
            if done["calls"] == number:
                raise error

        setattr(self.ledgers, moment, fault)

    def heal(self) -> None:
        self.ledgers.before = self.ledgers.after = lambda _operation: None


def found(ledgers: LedgerStore, stack: str = STACK) -> ExaminedLog:
    log = AuditLog(ledgers, stack, None)
    witnesses = log.around().witnesses
    return examine_log(stack, log.segments(), witnesses, {OUR_KEY})


def ids(ledgers: LedgerStore) -> list[str]:
    assert found(ledgers).defects == ()
    return [record.entry.id for record in found(ledgers).records]


def test_an_append_is_one_segment_and_says_where_the_log_ends(ledgers: MemoryLedgers, signer: Signer) -> None:
    log = AuditLog(ledgers, STACK, signer)
    assert log.append([]) == Position(0, genesis(STACK))
    first = log.append([entry(1), entry(2)])
    second = log.append([entry(3)])
    assert (first.segment, second.segment) == (1, 2)
    assert log.append([]) == second
    assert AuditLog(ledgers, STACK, signer).append([]) == second
    assert sorted(ledgers.documents) == [f"audit-heads/{STACK}", f"audit/{STACK}/00000001", f"audit/{STACK}/00000002"]
    assert ids(ledgers) == ["entry-1", "entry-2", "entry-3"]


def test_it_costs_three_reads_per_process_and_two_writes_per_append(ledgers: MemoryLedgers, signer: Signer) -> None:
    for number in range(2):
        AuditLog(ledgers, STACK, signer).append([entry(number)])
    counting = Counting(ledgers)
    log = AuditLog(ledgers, STACK, signer)
    for number in range(2, 5):
        log.append([entry(number)])
    assert counting.calls == ["read"] * 3 + ["write", "write"] * 3


def test_many_entries_go_into_several_segments(ledgers: MemoryLedgers, signer: Signer) -> None:
    many = [entry(number) for number in range(LARGEST_SEGMENT + 1)]
    assert AuditLog(ledgers, STACK, signer).append(many).segment == 2
    assert len(ids(ledgers)) == len(many)
    largest = max(len(text) for text, _ in ledgers.documents.values())
    assert largest < 200_000


def test_of_two_processes_the_loser_follows_the_winner(ledgers: MemoryLedgers, signer: Signer) -> None:
    one, other = AuditLog(ledgers, STACK, signer), AuditLog(ledgers, STACK, signer)
    for number in range(1, 20, 3):
        one.append([entry(number)])
        other.append([entry(number + 1)])
        other.append([entry(number + 2)])
    assert ids(ledgers) == [f"entry-{number}" for number in range(1, 22)]


def test_of_two_threads_that_write_the_first_version_one_does(ledgers: MemoryLedgers) -> None:
    """The other one writes, if it can, when the first has seen that nothing is there and has not written yet."""
    written, answers = threading.Event(), []

    def write() -> None:
        try:
            answers.append(ledgers.write("key", {}, 0))
        except VersionConflict:
            answers.append("conflict")

    def write_between() -> None:
        write()
        written.set()

    class Documents(dict[str, tuple[str, int]]):
        def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - of a dict
            found = super().get(key, default)
            if threading.current_thread() is not other:
                other.start()
                written.wait(0.2)  # as long as it takes to see that it has to wait
            return found

    ledgers.documents, other = Documents(), threading.Thread(target=write_between)
    write()
    other.join()
    assert answers == [1, "conflict"]


def test_threads_of_several_processes_lose_nothing(ledgers: MemoryLedgers, signer: Signer) -> None:
    logs = [AuditLog(ledgers, STACK, signer) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        positions = list(pool.map(lambda n: logs[n % 4].append([entry(n)]), range(120)))
    assert sorted(position.segment for position in positions) == list(range(1, 121))
    assert sorted(ids(ledgers)) == sorted(f"entry-{n}" for n in range(120))


def test_two_processes_on_one_sqlite_file_lose_nothing(tmp_path: Path, signer: Signer) -> None:
    del signer  # its key is in the environment that the processes inherit
    path = tmp_path / "ledgers.sqlite3"
    program = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "from audit_bench import STACK, entry\n"
        "from keysteward.operations.audit.log import AuditLog\n"
        "from keysteward.providers.local import LocalLedgers\n"
        "from keysteward.operations.audit.signing import Signer\n"
        "log = AuditLog(LocalLedgers('ledgers', path=sys.argv[2]), STACK, Signer())\n"
        "for n in range(25): log.append([entry(int(sys.argv[3]) + n)])\n"
    )
    environment = {**os.environ, "KEYSTEWARD_SIGNING_KEY": "env:TEST_SIGNING_KEY"}
    bench = str(Path(__file__).parents[1] / "core")
    running = [
        subprocess.Popen([sys.executable, "-c", program, bench, str(path), str(start)], env=environment)
        for start in (0, 1000)
    ]
    assert [process.wait(240) for process in running] == [0, 0]
    assert sorted(ids(LocalLedgers("ledgers", path=path))) == sorted(
        f"entry-{s + n}" for s in (0, 1000) for n in range(25)
    )


def test_vault_lets_a_run_add_to_the_log_and_change_nothing_in_it(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with VaultStandIn() as vault:
        server = Server(vault.url, "sandbox-root", monkeypatch)
        ledgers = server.store().ledgers("keysteward")
        one, other = AuditLog(ledgers, STACK, signer), AuditLog(ledgers, STACK, signer)
        for number in range(1, 7, 2):
            one.append([entry(number)])
            other.append([entry(number + 1)])
        assert ids(ledgers) == [f"entry-{number}" for number in range(1, 7)]
        assert ids(ledgers.as_reader()) == ids(ledgers)
        key = f"audit/{STACK}/00000003"
        with pytest.raises(AccessDenied):
            ledgers.write(key, {}, ledgers.read(key).version)
        path = f"kv/data/keysteward/{key}"
        token = os.environ["TEST_RUNNER"]
        assert not server.may(token, "DELETE", path)
        assert not server.may(token, "DELETE", path.replace("data", "metadata", 1))
        assert not server.may(token, "PUT", path.replace("data", "destroy", 1), {"versions": [1]})


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real("vault"))])
def vault(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    if request.param == "stand-in":
        with VaultStandIn() as stand_in:
            yield Server(stand_in.url, "sandbox-root", monkeypatch)
        return
    real: RealVault = request.getfixturevalue("real_vault")
    yield Server(real.url, real.token, monkeypatch)


REAL = pytest.mark.real("vault")


@pytest.mark.parametrize(
    ("vault", "creations"),
    [
        ("stand-in", 16),
        ("stand-in", 100),
        *(pytest.param("real", n, marks=[REAL, *([pytest.mark.proof] if n > 100 else [])]) for n in (16, 100, 1000)),
    ],
    indirect=["vault"],
)
def test_what_a_large_run_did_is_taken_by_servers_that_refuse_large_requests(
    vault: Server, signer: Signer, creations: int
) -> None:
    ledgers = vault.store().ledgers("keysteward")
    steps = ("begin", "create", "stage", "verify", "promote", "settle")
    made = {}
    for number in range(creations):
        identity = f"{STACK}/app-{number}"
        outbox = tuple(
            entry(number, id=f"{identity}@{at}", identity=identity, step=step) for at, step in enumerate(steps)
        )
        ledger = Ledger(identity, "1", "m2m_client", outbox=outbox)
        made[identity] = replace(ledger, version=ledgers.write(ledger_key(identity), dump_ledger(ledger), 0))
    log = AuditLog(ledgers, STACK, signer)

    def record(entries: Sequence[Entry]) -> Logged:
        return Logged(*log.append(entries))

    assert flush(ledgers, record, made, {}, "host/boot/1/2/nonce") == creations * len(steps)
    assert AuditLog(ledgers.as_reader(), STACK, None).around().waiting == 0
    assert len(ids(ledgers)) == creations * len(steps)


def test_a_log_that_an_older_version_wrote_into_vault_goes_on(vault: Server, signer: Signer) -> None:
    ledgers = vault.store().ledgers("keysteward")
    before = MemoryLedgers("before", Clock())
    AuditLog(before, STACK, signer).append([entry(1), entry(2)])
    for key in sorted(before.documents):
        path = f"{vault.mount}/data/keysteward/{key}"
        assert vault.call("POST", path, {"data": before.read(key).document}, os.environ["TEST_RUNNER"]).ok
    assert AuditLog(ledgers, STACK, signer).append([entry(3)]).segment == 2
    assert ids(ledgers) == ["entry-1", "entry-2", "entry-3"]


def test_a_segment_of_long_entries_stays_small(ledgers: MemoryLedgers, signer: Signer) -> None:
    many = [entry(number, words="w" * 20_000) for number in range(40)]
    AuditLog(ledgers, STACK, signer).append(many)
    assert ids(ledgers) == [f"entry-{number}" for number in range(40)]
    assert max(len(text) for text, _ in ledgers.documents.values()) < 300_000


CALLS = 4
"""Calls of an append by a new process: read the hint and its segment, create the next segment, write the hint."""


@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_a_kill_before_any_call_loses_nothing_and_doubles_nothing(
    ledgers: MemoryLedgers, signer: Signer, number: int
) -> None:
    AuditLog(ledgers, STACK, signer).append([entry(1)])
    counting = Counting(ledgers)
    counting.fail("before", number, Killed())
    with pytest.raises(Killed):
        AuditLog(ledgers, STACK, signer).append([entry(2)])
    counting.heal()
    AuditLog(ledgers, STACK, signer).append([entry(2)])
    AuditLog(ledgers, STACK, signer).append([entry(3)])
    assert ids(ledgers) == ["entry-1", "entry-2", "entry-3"]


@pytest.mark.parametrize("number", [1, 2])
def test_a_kill_after_any_write_too(ledgers: MemoryLedgers, signer: Signer, number: int) -> None:
    AuditLog(ledgers, STACK, signer).append([entry(1)])
    counting = Counting(ledgers)
    counting.fail("after", number, Killed())
    with pytest.raises(Killed):
        AuditLog(ledgers, STACK, signer).append([entry(2)])
    counting.heal()
    AuditLog(ledgers, STACK, signer).append([entry(2)])
    assert ids(ledgers) == ["entry-1", "entry-2"]
    assert found(ledgers).repeated == number - 1  # before the head was noted, the same segment is met and known


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_lost_reply_is_cleared_up_by_reading_back(
    ledgers: MemoryLedgers, signer: Signer, moment: str, number: int
) -> None:
    log = AuditLog(ledgers, STACK, signer)
    log.append([entry(1)])
    counting = Counting(ledgers)
    counting.fail(moment, number, OutcomeUnknown("no answer"))
    assert log.append([entry(2)]).segment == 2
    counting.heal()
    assert log.append([entry(3)]).segment == 3
    assert ids(ledgers) == ["entry-1", "entry-2", "entry-3"]
    assert found(ledgers).repeated == 0
    counting = Counting(ledgers)
    AuditLog(ledgers, STACK, signer).append([entry(4)])
    assert counting.calls == ["read", "read", "read", "write", "write"]  # the hint is right again


def test_a_ledger_store_that_is_down_raises_and_the_next_append_goes_on(ledgers: MemoryLedgers, signer: Signer) -> None:
    log = AuditLog(ledgers, STACK, signer)
    counting = Counting(ledgers)
    for number in (1, 2):
        counting.fail("before", number, Unavailable("down"))
        with pytest.raises(Unavailable):
            log.append([entry(1)])
    counting.heal()
    log.append([entry(1)])
    assert ids(ledgers) == ["entry-1"]


@pytest.mark.parametrize("segments", [1, 2, 3, 7, 8, 9, 40])
def test_a_hint_that_is_lost_damaged_or_old_heals(ledgers: MemoryLedgers, signer: Signer, segments: int) -> None:
    key = f"audit-heads/{STACK}"
    log = AuditLog(ledgers, STACK, signer)
    log.append([entry(0)])
    old = ledgers.documents[key]
    for number in range(1, segments):
        log.append([entry(number)])
    text, version = ledgers.documents[key]
    altered = json.dumps(json.loads(text) | {"head": "f" * 64})
    another = json.dumps(json.loads(text) | {"stack": "acme/prod"})
    last = segments
    for hint in (None, old, ("{}", version), (altered, version), (another, version), ('{"format": 9}', version)):
        if hint is None:
            del ledgers.documents[key]
        else:
            ledgers.documents[key] = hint
        counting = Counting(ledgers)
        assert AuditLog(ledgers, STACK, signer).append([entry(last)]).segment == last + 1
        assert len(counting.calls) <= 16
        last += 1
        assert json.loads(ledgers.documents[key][0])["number"] == last
    assert ids(ledgers) == [f"entry-{number}" for number in range(last)]


def test_without_signer_the_hint_is_believed_only_when_its_segment_says_the_same(ledgers: MemoryLedgers) -> None:
    AuditLog(ledgers, STACK, None).append([entry(1)])
    key = f"audit-heads/{STACK}"
    text, version = ledgers.documents[key]
    ledgers.documents[key] = (json.dumps(json.loads(text) | {"number": 7}), version)
    assert AuditLog(ledgers, STACK, None).append([entry(2)]).segment == 2
    assert {defect.what.value for defect in found(ledgers).defects} == {"unsigned"}


FAR: Final = 99_999_999


def forged(number: int, seed: int = 2) -> Segment:
    """Make a segment of that number, signed by a stranger, that follows one of theirs."""
    before = make_segment(STACK, None, [entry(900)], signing(seed)).head
    return make_segment(STACK, replace(before, number=number - 1), [entry(901)], signing(seed))


def test_a_head_that_a_stranger_signed_leads_nowhere(vault: Server, signer: Signer) -> None:
    ledgers = vault.store().ledgers("keysteward")  # with the runner's rights, which may write the head
    AuditLog(ledgers, STACK, signer).append([entry(1)])
    key = f"audit-heads/{STACK}"
    ledgers.write(key, dump_head(forged(FAR).head), ledgers.read(key).version)
    assert AuditLog(ledgers, STACK, signer).append([entry(2)]).segment == 2
    assert AuditLog(ledgers, STACK, signer).append([entry(3)]).segment == 3
    assert ids(ledgers) == ["entry-1", "entry-2", "entry-3"]


def test_a_head_whose_segment_follows_nothing_leads_nowhere(ledgers: MemoryLedgers, signer: Signer) -> None:
    AuditLog(ledgers, STACK, signer).append([entry(1)])
    far = forged(FAR)
    ledgers.write(f"audit/{STACK}/{FAR}", dump_segment(far), 0)
    ledgers.write(f"audit-heads/{STACK}", dump_head(far.head), 1)
    assert AuditLog(ledgers, STACK, signer).append([entry(2)]).segment == 2
    assert {(defect.what.value, defect.segment) for defect in found(ledgers).defects} >= {("removed", 3)}
    del ledgers.documents[f"audit/{STACK}/{FAR}"]  # by whoever may
    assert ids(ledgers) == ["entry-1", "entry-2"]


@pytest.mark.parametrize("rival", [False, True])
def test_a_segment_that_gives_itself_another_number_keeps_its_place(
    ledgers: MemoryLedgers, signer: Signer, rival: bool
) -> None:
    log = AuditLog(ledgers, STACK, signer)
    log.append([entry(1)])
    ledgers.write(f"audit/{STACK}/00000002", dump_segment(forged(FAR)), 0)
    if not rival:
        del ledgers.documents[f"audit-heads/{STACK}"]
        log = AuditLog(ledgers, STACK, signer)
    assert log.append([entry(3)]).segment == 3
    assert {defect.segment for defect in found(ledgers).defects} == {2, 3}


def test_a_segment_that_was_deleted_in_vault_keeps_its_place(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    with VaultStandIn() as stand_in:
        vault = Server(stand_in.url, "sandbox-root", monkeypatch)
        ledgers = vault.store().ledgers("keysteward")
        for number in range(1, 21):
            AuditLog(ledgers, STACK, signer).append([entry(number)])
        for gone in (3, 20):
            vault.call("DELETE", f"{vault.mount}/data/keysteward/audit/{STACK}/{gone:08d}")
        assert AuditLog(ledgers, STACK, signer).append([entry(21)]).segment == 21


@pytest.mark.parametrize("damage", [("{}", 2), ("null", 2), ("[1]", 2), ('"text"', 2)])
def test_a_damaged_segment_is_reported_and_the_log_goes_on_behind_it(
    ledgers: MemoryLedgers, signer: Signer, damage: tuple[str, int]
) -> None:
    AuditLog(ledgers, STACK, signer).append([entry(1)])
    ledgers.documents[f"audit/{STACK}/00000001"] = damage
    del ledgers.documents[f"audit-heads/{STACK}"]
    log = AuditLog(ledgers, STACK, signer)
    assert [log.append([entry(number)]).segment for number in (2, 3)] == [2, 3]
    assert [defect.segment for defect in found(ledgers).defects] == [1]
    assert [record.entry.id for record in found(ledgers).records] == ["entry-2", "entry-3"]


def test_stacks_below_a_stacks_name_have_logs_of_their_own(ledgers: MemoryLedgers, signer: Signer) -> None:
    for stack in ("acme", "acme/demo"):
        AuditLog(ledgers, stack, signer).append([entry(1)])
    for stack in ("acme", "acme/demo"):
        assert (found(ledgers, stack).sound, found(ledgers, stack).segments) == (True, 1)


def test_ledgers_remember_where_the_log_ended(ledgers: MemoryLedgers, signer: Signer) -> None:
    log = AuditLog(ledgers, STACK, signer)
    log.append([entry(1)])
    position = log.append([entry(2)])
    ledgers.write(f"ledgers/{STACK}/a", {"logged": {"segment": position.segment, "head": position.head}}, 0)
    ledgers.write(f"ledgers/{STACK}/b", {"logged": None}, 0)
    assert found(ledgers).sound
    for key in (f"audit/{STACK}/00000002", f"audit-heads/{STACK}"):
        del ledgers.documents[key]
    [defect] = found(ledgers).defects
    assert defect.message == (
        "the log ends at segment 1, but the ledger of acme/demo/a knows of segment 2: its end was cut off"
    )
    AuditLog(ledgers, STACK, signer).append([entry(3)])
    [defect] = found(ledgers).defects
    assert "segment 2 is not the one that was there: the ledger of acme/demo/a knows of another one" in defect.message


def test_somebody_who_takes_every_number_ends_in_an_error(ledgers: MemoryLedgers, signer: Signer) -> None:
    log = AuditLog(ledgers, STACK, signer)
    log.append([entry(0)])
    rival = AuditLog(ledgers, STACK, signer)
    counts = iter(range(1, 10_000))
    idle: Callable[[str], None] = lambda _operation: None  # noqa: E731

    def outrun(operation: str) -> None:
        if operation == "write":
            ledgers.before = idle
            rival.append([entry(next(counts))])
            ledgers.before = outrun

    ledgers.before = outrun
    with pytest.raises(VersionConflict, match="keeps growing; run again"):
        log.append([entry(-1)])
    ledgers.before = idle
    assert found(ledgers).sound


def test_what_signs_is_asked_once(ledgers: MemoryLedgers) -> None:
    assert OURS.public_key
    with pytest.raises(Exception, match="TEST_MISSING is not set"):
        AuditLog(ledgers, STACK, Signer({"KEYSTEWARD_SIGNING_KEY": "env:TEST_MISSING"})).append([entry(1)])
    assert ledgers.documents == {}
