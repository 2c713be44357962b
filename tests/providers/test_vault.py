"""What is Vault's own: rights, metadata, old versions. On the stand-in and a real server."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from vault_server import ROOT, Server

from keysteward.core.contract.observed import Delivered, DeliveredEntry
from keysteward.core.contract.ports import StageEntry
from keysteward.core.errors import (
    DeclarationError,
    VersionConflict,
)
from keysteward.providers.documents.description import Description
from keysteward.providers.vault import Vault, VaultLedgers, marks, policy
from keysteward.providers.vault.kv import Kv
from keysteward.sandbox import VaultStandIn
from keysteward.testing.store_world import IDENTITY, PATH, about, at, deliver, entry, secret

if TYPE_CHECKING:
    from real_servers import RealVault


@pytest.fixture
def stand_in() -> Iterator[VaultStandIn]:
    with VaultStandIn(auth_methods=("jwt",)) as vault:
        yield vault


@pytest.fixture
def fake(stand_in: VaultStandIn, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The stand-in, for faults and whatever would harm a shared server."""
    return Server(stand_in.url, ROOT, monkeypatch)


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real("vault"))])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    if request.param == "stand-in":
        stand_in: VaultStandIn = request.getfixturevalue("stand_in")
        yield Server(stand_in.url, ROOT, monkeypatch)
        return
    real: RealVault = request.getfixturevalue("real_vault")
    server = Server(real.url, real.token, monkeypatch)
    yield server
    server.call("DELETE", f"sys/mounts/{server.mount}")


def kill(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Let the process die at its next call of this kind."""

    def die(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Kv, method, die)


class TestPolicies:
    def test_a_consumer_reads_its_own_document_and_nothing_else(self, server: Server) -> None:
        deliver(server.store(), 1, "one")
        server.store().stage(PATH, entry(2, "two"), secret("two"))
        server.store().ledgers().write("ledgers/x", {"a": 1}, 0)
        consumer = server.token("consumer", PATH)
        assert server.may(consumer, "GET", f"kv/data/{PATH}")
        for path in ("data/apps/other", "data/keysteward/staged/apps~billing", "data/keysteward/ledgers/x"):
            assert not server.may(consumer, "GET", f"kv/{path}")
        assert not server.may(consumer, "POST", f"kv/data/{PATH}", {"data": {}})
        assert not server.may(consumer, "GET", f"kv/metadata/{PATH}")

    def test_the_reader_sees_metadata_and_ledgers_but_no_value(self, server: Server) -> None:
        deliver(server.store(), 1, "one")
        server.store().stage(PATH, entry(2, "two"), secret("two"))
        server.store().ledgers().write("ledgers/x", {"a": 1}, 0)
        reader = server.token("reader")
        staged = "keysteward/staged/apps~billing"
        for path in (f"metadata/{PATH}", f"metadata/{staged}", "data/keysteward/ledgers/x"):
            assert server.may(reader, "GET", f"kv/{path}")
        assert not server.may(reader, "GET", f"kv/data/{PATH}")
        assert not server.may(reader, "GET", f"kv/data/{staged}")
        for path in (f"data/{PATH}", f"data/{staged}", "data/keysteward/ledgers/x"):
            assert not server.may(reader, "POST", f"kv/{path}", {"data": {"a": 2}})
        assert not server.may(reader, "POST", f"kv/metadata/{PATH}", {"custom_metadata": {"a": "b"}})
        shown = at(server.store().as_reader())
        assert shown == at(server.store())
        assert shown.current is not None
        assert shown.stage(2) is not None

    def test_the_runner_may_not_do_more_than_it_needs(self, server: Server) -> None:
        runner = server.token("runner")
        server.call("POST", f"{server.mount}/data/other/x", {"data": {"a": "b"}})
        assert not server.may(runner, "GET", "kv/data/other/x")
        assert not server.may(runner, "GET", "kv/metadata/other/x")
        assert not server.may(runner, "POST", "kv/data/other/x", {"data": {}})
        assert not server.may(runner, "DELETE", "kv/metadata/keysteward/ledgers/x")
        assert not server.may(runner, "GET", "sys/policies/acl/default")
        assert not server.may(runner, "POST", "auth/token/create", {"policies": ["default"]})

    def test_an_unknown_policy_is_refused(self) -> None:
        with pytest.raises(DeclarationError, match="consumer, reader, runner"):
            policy("admin", delivered="x")  # type: ignore[arg-type]

    def test_no_placeholder_is_left(self) -> None:
        for kind in ("consumer", "reader", "runner"):
            text = policy(kind, delivered="apps/*", mount="kv", staging="s/t", ledgers="l")  # type: ignore[arg-type]
            rules = [line for line in text.splitlines() if not line.startswith("#")]
            assert not any("<" in line for line in rules)


class TestMetadata:
    def test_settings_and_metadata_of_others_survive(self, server: Server) -> None:
        settings = {"custom_metadata": {"team": "billing"}, "max_versions": 7, "delete_version_after": "8760h"}
        server.call("POST", f"{server.mount}/data/{PATH}", {"data": {"note": "x"}})
        server.call("POST", f"{server.mount}/metadata/{PATH}", settings)
        store = server.store()
        store.take_over(PATH, IDENTITY)
        deliver(store, 1, "one")
        deliver(store, 2, "two")
        store.discard(PATH, IDENTITY, 1)
        store.discard(PATH, IDENTITY, 2)
        found = server.metadata()
        assert found["custom_metadata"]["team"] == "billing"
        assert found["max_versions"] == 7
        assert found["delete_version_after"] == "8760h0m0s"
        assert "keysteward-current" not in found["custom_metadata"]

    def test_a_kill_before_the_description_is_repaired(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        store = server.store()
        store.stage(PATH, entry(1, "one"), secret("one"))
        with monkeypatch.context() as broken:
            kill(broken, "patch_metadata")
            with pytest.raises(KeyboardInterrupt):
                store.promote(PATH, entry(1, "one"), about(), {})
        seen = at(store.as_reader())
        assert (seen.exists, seen.unknown, seen.identity, seen.current) == (True, True, IDENTITY, None)
        shown = at(store)
        assert not shown.unknown
        assert shown.current is not None
        assert shown.current.fingerprint == entry(1, "one").fingerprint
        assert shown.stage(1) is not None
        store.promote(PATH, entry(1, "one"), about(), {})
        assert at(store.as_reader()) == at(store)
        assert server.metadata()["current_version"] == 1

    @pytest.mark.parametrize("method", ["write", "patch_metadata", "delete"])
    def test_a_kill_anywhere_in_a_promotion_is_made_good(
        self, server: Server, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        store = server.store()
        deliver(store, 1, "one")
        store.stage(PATH, entry(2, "two"), secret("two"))
        with monkeypatch.context() as broken:
            kill(broken, method)
            with pytest.raises(KeyboardInterrupt):
                store.promote(PATH, entry(2, "two"), about(), {})
        store.promote(PATH, entry(2, "two"), about(), {})
        shown = at(store.as_reader())
        assert shown == at(store)
        assert shown.current is not None
        assert shown.previous is not None
        assert (shown.current.generation, shown.previous.generation, shown.staged) == (2, 1, ())

    @pytest.mark.parametrize("method", ["write", "destroy", "patch_metadata"])
    def test_a_kill_anywhere_in_a_discard_is_made_good(
        self, server: Server, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        store = server.store()
        deliver(store, 1, "one")
        deliver(store, 2, "two")
        with monkeypatch.context() as broken:
            kill(broken, method)
            with pytest.raises(KeyboardInterrupt):
                store.discard(PATH, IDENTITY, 1)
        store.discard(PATH, IDENTITY, 1)
        versions = server.metadata()["versions"]
        assert [number for number, version in versions.items() if not version["destroyed"]] == ["3"]
        assert at(store).previous is None

    @pytest.mark.parametrize("method", ["patch_metadata", "write", "delete"])
    def test_a_kill_anywhere_in_the_last_discard_leaves_no_old_version(
        self, server: Server, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        store = server.store()
        deliver(store, 1, "one")
        with monkeypatch.context() as broken:
            kill(broken, method)
            with pytest.raises(KeyboardInterrupt):
                store.discard(PATH, IDENTITY, 1)
        held = at(store)
        assert held.exists is (method != "delete")
        if held.exists:
            assert held.current is not None
            assert at(store.as_reader()) == held
            store.discard(PATH, IDENTITY, 1)
        assert server.call("GET", f"{server.mount}/metadata/{PATH}").status_code == 404

    def test_what_somebody_else_emptied_stays_with_its_old_versions(self, server: Server) -> None:
        store = server.store()
        deliver(store, 1, "one")
        server.call("POST", f"{server.mount}/data/{PATH}", {"data": {}})
        assert not at(store).exists
        assert server.metadata()["current_version"] == 2

    def test_what_somebody_wrote_between_mark_and_removal_stays(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = server.store()
        deliver(store, 1, "one")
        with monkeypatch.context() as broken:
            kill(broken, "write")
            with pytest.raises(KeyboardInterrupt):
                store.discard(PATH, IDENTITY, 1)
        server.call("POST", f"{server.mount}/data/{PATH}", {"data": {"theirs": "kept"}})
        assert at(store).identity is None
        assert server.call("GET", f"{server.mount}/data/{PATH}").json()["data"]["data"] == {"theirs": "kept"}

    def test_a_kill_before_the_first_version_leaves_nothing_of_a_stranger(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = server.store()
        store.stage(PATH, entry(1, "one"), secret("one"))
        with monkeypatch.context() as broken:
            kill(broken, "write")
            with pytest.raises(KeyboardInterrupt):
                store.promote(PATH, entry(1, "one"), about(), {})
        assert not at(store).exists
        store.promote(PATH, entry(1, "one"), about(), {})
        assert at(store).current is not None

    def test_wiped_metadata_is_written_again_by_the_runner(self, server: Server) -> None:
        store = server.store()
        deliver(store, 1, "one")
        before = at(store)
        server.call("POST", f"{server.mount}/metadata/{PATH}", {"custom_metadata": {"team": "billing"}})
        assert at(store) == before
        assert at(store.as_reader()) == before
        assert server.metadata()["custom_metadata"]["team"] == "billing"

    def test_long_remote_ids_go_on_in_further_keys(self, server: Server) -> None:
        store = server.store()
        long = StageEntry(IDENTITY, 1, "k1:0123456789abcdef", "nonce", "r" * 1500)
        store.stage(PATH, long, secret("one"))
        staged = at(store.as_reader()).stage(1)
        assert staged is not None
        assert staged.remote_id == "r" * 1500
        store.promote(PATH, long, about(), {})
        short = StageEntry(IDENTITY, 2, "k1:fedcba9876543210", "nonce", "r")
        store.stage(PATH, short, secret("two"))
        store.promote(PATH, short, about(), {})
        store.discard(PATH, IDENTITY, 1)
        current = at(store.as_reader()).current
        assert current is not None
        assert current.remote_id == "r"
        assert sorted(server.metadata()["custom_metadata"]) == [
            "keysteward-current",
            "keysteward-identity",
            "keysteward-version",
        ]

    def test_marks_that_cannot_be_read_describe_nothing(self) -> None:
        found = marks.unpack({"keysteward-identity": IDENTITY, "keysteward-version": "1", "keysteward-current": "{"})
        assert found == marks.Marks(Description(IDENTITY), -1)

    def test_identities_in_any_script_fit(self) -> None:
        description = Description("ä" * 400, current=DeliveredEntry(1, "f", "n"))
        packed = {key: value for key, value in marks.pack(description, 3, {}).items() if value is not None}
        assert all(len(value.encode()) <= 512 for value in packed.values())
        assert marks.unpack(packed) == marks.Marks(description, 3)


class TestVersions:
    def test_staging_keeps_no_old_versions(self, server: Server) -> None:
        store = server.store()
        for generation in (1, 2, 3):
            store.stage(PATH, entry(generation, f"s{generation}"), secret(f"s{generation}"))
        store.discard(PATH, IDENTITY, 1)
        assert list(server.metadata("keysteward/staged/apps~billing")["versions"]) == ["4"]

    def test_history_from_before_us_stays(self, server: Server) -> None:
        server.call("POST", f"{server.mount}/data/{PATH}", {"data": {"note": "old"}})
        server.call("POST", f"{server.mount}/data/{PATH}", {"data": {"note": "new", "copy": "one"}})
        server.call("POST", f"{server.mount}/data/{PATH}", {"data": {"note": "newest"}})
        store = server.store()
        store.take_over(PATH, IDENTITY)
        deliver(store, 1, "one")
        deliver(store, 2, "two")
        store.discard(PATH, IDENTITY, 1)
        versions = server.metadata()["versions"]
        kept = [number for number, version in versions.items() if not version["destroyed"]]
        assert kept == ["1", "3", "4", "7"]  # 2 held the value under another name, 4 is the take-over

    def test_a_document_that_somebody_deleted_is_not_there(self, server: Server) -> None:
        store = server.store()
        deliver(store, 1, "one")
        server.call("DELETE", f"{server.mount}/data/{PATH}")
        assert at(store) == Delivered()
        assert at(store.as_reader()) == Delivered()
        assert store.read(PATH, 1) is None
        deliver(store, 2, "two")
        current = at(store).current
        assert current is not None
        assert current.generation == 2
        store.discard(PATH, IDENTITY, 1)
        assert server.metadata()["versions"]["1"]["destroyed"]

    def test_discard_removes_what_somebody_deleted_halfway(self, server: Server) -> None:
        store = server.store()
        deliver(store, 1, "one")
        server.call("DELETE", f"{server.mount}/data/{PATH}")
        store.discard(PATH, IDENTITY, 1)
        assert server.call("GET", f"{server.mount}/metadata/{PATH}").status_code == 404

    def test_a_write_in_between_is_not_lost(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        store = server.store()
        deliver(store, 1, "one")
        store.stage(PATH, entry(2, "two"), secret("two"))
        read, meddled = Kv.read, []

        def meddle(kv: Kv, path: str, version: int | None = None) -> Any:  # noqa: ANN401
            found = read(kv, path, version)
            if path == PATH and not meddled:
                meddled.append(path)
                server.call("POST", f"{server.mount}/data/{PATH}", {"data": {**(found.data or {}), "note": "new"}})
            return found

        monkeypatch.setattr(Kv, "read", meddle)
        store.promote(PATH, entry(2, "two"), about(), {})
        document = server.call("GET", f"{server.mount}/data/{PATH}").json()["data"]["data"]
        assert (document["note"], document["client_secret"]) == ("new", "two")

    def test_a_writer_who_never_stops_ends_in_a_version_conflict(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = server.store()
        deliver(store, 1, "one")
        document = server.call("GET", f"{server.mount}/data/{PATH}").json()["data"]["data"]
        write = Kv.write

        def late(kv: Kv, path: str, data: dict[str, Any], cas: int) -> int:
            server.call("POST", f"{server.mount}/data/{path}", {"data": document})
            return write(kv, path, data, cas)

        monkeypatch.setattr(Kv, "write", late)
        with pytest.raises(VersionConflict):
            store.promote(PATH, entry(1, "one"), about(client_id="new"), {})


class TestCost:
    def test_delivered_costs_one_list_and_one_read_per_path(self, stand_in: VaultStandIn, fake: Server) -> None:
        store = fake.store()
        paths = [f"apps/a{number}" for number in range(20)]
        for path in paths[:18]:
            deliver(store, 1, "one", path=path)
        store.stage(paths[18], entry(1, "x"), secret("x"))
        for look in (store.as_reader(), store):
            stand_in.calls.clear()
            look.delivered(paths)
            methods = [(call.method, call.path.split("/")[3]) for call in stand_in.calls]
            assert methods.count(("LIST", "metadata")) == 1
            assert methods.count(("GET", "metadata")) == 20 + 1
            assert len(methods) == 22

    def test_nothing_asked_costs_nothing(self, stand_in: VaultStandIn, fake: Server) -> None:
        stand_in.calls.clear()
        assert fake.store().delivered([]) == {}
        assert stand_in.calls == []


class TestDoctor:
    def test_a_reader_that_may_read_values_is_a_warning(self, server: Server) -> None:
        server.give("READER", server.token("runner"))
        checks = list(server.store().as_reader().diagnose([PATH]))
        warnings = [check for check in checks if check.warning]
        assert len(warnings) == 1
        assert f'"read" on {server.mount}/data/{PATH}' in warnings[0].detail
        assert all(check.ok for check in checks)

    def test_a_runner_with_too_little_is_wrong(self, server: Server) -> None:
        server.give("RUNNER", server.token("reader"))
        wrong = [check for check in server.store().diagnose([PATH]) if not check.ok]
        assert len(wrong) == 1
        assert f'"create" on {server.mount}/data/{PATH}' in wrong[0].detail
        assert f'"update" on {server.mount}/destroy/{PATH}' in wrong[0].detail
        wrong = [check for check in server.store().ledgers().diagnose() if not check.ok]
        assert '"update" on' in wrong[0].detail

    def test_a_root_token_is_a_warning(self, server: Server) -> None:
        server.give("RUNNER", server.root)
        assert any(check.warning and "root token" in check.detail for check in server.store().diagnose([PATH]))

    def test_a_bad_token_is_wrong(self, server: Server) -> None:
        server.give("RUNNER", "no-such-token")
        assert not all(check.ok for check in server.store().diagnose([PATH]))


class TestLedgers:
    def test_time_is_the_servers(self, stand_in: VaultStandIn, fake: Server) -> None:
        stand_in.clock.set(dt.datetime(2031, 5, 1, 12, tzinfo=dt.UTC))
        assert abs(fake.store().ledgers().now() - dt.datetime(2031, 5, 1, 12, tzinfo=dt.UTC)) < dt.timedelta(seconds=9)

    def test_they_keep_the_connection_of_their_store(self, server: Server) -> None:
        store = server.store()
        ledgers = store.ledgers("team/keys")
        again = VaultLedgers(**ledgers.descriptor.settings)
        assert again.descriptor == ledgers.descriptor
        assert Vault(**store.descriptor.settings).descriptor == store.descriptor
        json.dumps(dict(store.descriptor.settings))

    def test_a_deleted_ledger_shows_its_version(self, server: Server) -> None:
        ledgers = server.store().ledgers()
        ledgers.write("ledgers/x", {"a": 1}, 0)
        server.call("DELETE", f"{server.mount}/data/keysteward/ledgers/x")
        assert (ledgers.read("ledgers/x").document, ledgers.read("ledgers/x").version) == (None, 1)
        assert dict(ledgers.list("ledgers/")) == {}


def test_staging_is_no_place_to_deliver_to() -> None:
    store = Vault("secrets", url="https://vault.example.com", admin="env:X")
    with pytest.raises(DeclarationError, match="keysteward/staged"):
        store.path("keysteward/staged/x")
    assert store.path("apps/x", fields={"client_secret": "PASSWORD"}, take_over=True).take_over
