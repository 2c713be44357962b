"""What is the local store's own: the key, files that `age` reads, kills, a lost key."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyrage
import pytest

from keysteward.core.contract.observed import Delivered
from keysteward.core.errors import Conflict, Damaged, Unavailable
from keysteward.host import files
from keysteward.host.files import create_file, replace_file
from keysteward.providers.local import LocalLedgers, LocalStore
from keysteward.providers.local import sealed as sealed_module
from keysteward.providers.local.key import HEADER, default_key_path
from keysteward.testing.store_world import IDENTITY, PATH, about, at, deliver, entry, secret, text_of


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "config" / "age.key"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


@pytest.fixture
def store(root: Path, key: Path) -> LocalStore:
    return LocalStore("files", root=root, key=key)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestKey:
    def test_the_first_write_makes_it_and_says_so(
        self, store: LocalStore, key: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert not key.exists()
        at(store)
        assert not key.exists()
        deliver(store, 1, "one")
        assert mode(key) == 0o600
        assert f"operation=create file={key}" in caplog.text
        assert "keep a copy" in caplog.text
        assert "AGE-SECRET-KEY" not in caplog.text

    def test_what_is_written_is_read_by_the_age_tool(self, store: LocalStore, root: Path, key: Path) -> None:
        deliver(store, 1, "one")
        blob = (root / f"{PATH}.age").read_bytes()
        assert blob.startswith(HEADER + b"\n-> X25519 ")
        lines = key.read_text().splitlines()
        assert [line[0] for line in lines[:-1]] == ["#", "#"]
        identity = pyrage.x25519.Identity.from_str(lines[-1])
        assert lines[1] == f"# public key: {identity.to_public()}"
        assert json.loads(pyrage.decrypt(blob, [identity]))["client_secret"] == "one"

    def test_a_key_made_by_age_keygen_is_used(self, store: LocalStore, root: Path, key: Path) -> None:
        identity = pyrage.x25519.Identity.generate()
        key.parent.mkdir()
        key.write_text(f"# created: 2026-01-01T00:00:00Z\n# public key: {identity.to_public()}\n{identity}\n")
        deliver(store, 1, "one")
        assert b"one" in pyrage.decrypt((root / f"{PATH}.age").read_bytes(), [identity])

    def test_a_new_key_before_the_old_one_takes_over(self, store: LocalStore, root: Path, key: Path) -> None:
        deliver(store, 1, "one")
        new = pyrage.x25519.Identity.generate()
        key.write_text(f"{new}\n{key.read_text()}")
        (root / ".recipient").unlink()
        again = LocalStore("files", root=root, key=key)
        deliver(again, 2, "two")
        assert text_of(again, 1) == "one"
        assert b"two" in pyrage.decrypt((root / f"{PATH}.age").read_bytes(), [new])

    def test_a_lost_key_is_never_made_again(self, store: LocalStore, root: Path, key: Path) -> None:
        deliver(store, 1, "one")
        key.unlink()
        again = LocalStore("files", root=root, key=key)
        assert at(again).current is not None
        for call in (lambda: again.read(PATH, 1), lambda: deliver(again, 1, "x", path="apps/new")):
            with pytest.raises(Damaged, match="is gone: restore it from a backup"):
                call()
        assert not key.exists()
        assert [check.ok for check in again.diagnose([PATH])] == [True, False]

    def test_another_key_is_refused(self, store: LocalStore, root: Path, key: Path) -> None:
        deliver(store, 1, "one")
        key.write_text(f"{pyrage.x25519.Identity.generate()}\n")
        again = LocalStore("files", root=root, key=key)
        with pytest.raises(Damaged, match="is not the key"):
            deliver(again, 1, "x", path="apps/new")
        with pytest.raises(Damaged, match="encrypted to another key"):
            again.read(PATH, 1)
        assert [check.ok for check in again.diagnose([PATH])] == [True, True, False]

    @pytest.mark.parametrize("content", ["", "# nothing\n", "AGE-SECRET-KEY-1CUTSHORT\n"])
    def test_a_key_cut_short_is_refused(self, store: LocalStore, key: Path, content: str) -> None:
        key.parent.mkdir()
        key.write_text(content)
        with pytest.raises(Damaged, match="holds no age identity"):
            deliver(store, 1, "one")

    def test_an_emptied_store_takes_a_new_key(self, store: LocalStore, root: Path, key: Path) -> None:
        deliver(store, 1, "one")
        store.discard(PATH, IDENTITY, 1)
        key.unlink()
        again = LocalStore("files", root=root, key=key)
        deliver(again, 2, "two")
        assert text_of(again, 2) == "two"

    def test_a_key_that_others_may_read_is_a_warning(self, store: LocalStore, key: Path) -> None:
        deliver(store, 1, "one")
        key.chmod(0o644)
        assert [check.detail for check in store.diagnose([PATH]) if check.warning] == [
            f"{key}: others may read it: chmod 600 {key}"
        ]

    def test_it_lives_in_the_users_configuration(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        assert default_key_path().parts[-2:] == ("keysteward", "age.key")
        store = LocalStore("files", root=tmp_path / "root")
        assert LocalStore(**store.descriptor.settings).descriptor == store.descriptor


class TestFiles:
    def test_only_their_owner_may_read_them(self, store: LocalStore, root: Path) -> None:
        store.stage(PATH, entry(1, "one"), secret("one"))
        store.promote(PATH, entry(1, "one"), about(), {})
        store.stage(PATH, entry(2, "two"), secret("two"))
        assert mode(root / ".staged") == 0o700
        assert all(mode(f) == (0o600 if f.is_file() else 0o700) for f in root.rglob("*"))

    def test_the_note_describes_one_document(self, store: LocalStore, root: Path) -> None:
        deliver(store, 1, "one")
        note = json.loads((root / f"{PATH}.json").read_text())
        blob = (root / f"{PATH}.age").read_bytes()
        assert note["sha256"] == hashlib.sha256(blob).hexdigest()
        assert note["current"]["fingerprint"] == entry(1, "one").fingerprint
        assert '"one"' not in json.dumps(note)

    def test_no_scratch_and_no_empty_folder_is_left(self, store: LocalStore, root: Path) -> None:
        deliver(store, 1, "one")
        store.discard(PATH, IDENTITY, 1)
        assert sorted(file.name for file in root.rglob("*")) == [".lock", ".recipient"]

    def test_what_a_killed_process_left_half_written_goes_with_the_next_write(
        self, store: LocalStore, root: Path
    ) -> None:
        deliver(store, 1, "one")
        document = root / f"{PATH}.age"
        for half in (document, document.with_suffix(".json")):
            files._scratch(half, b"half")
        deliver(store, 2, "two")
        assert not list(root.rglob("*.tmp"))
        files._scratch(document, b"half")
        store.discard(PATH, IDENTITY, 1)
        store.discard(PATH, IDENTITY, 2)
        assert not list(root.rglob("*.tmp"))

    @pytest.mark.parametrize("unnamed", [True, False], ids=["without a name first", "beside it first"])
    def test_of_several_that_make_a_file_one_does_and_nothing_else_is_left(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, unnamed: bool
    ) -> None:
        if not unnamed:
            monkeypatch.setattr(files, "_UNNAMED", 0)
        path, contents = tmp_path / "new" / "age.key", [f"key {n}".encode() for n in range(8)]
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda content: files.create_file(path, content), contents))
        assert made.count(True) == 1
        assert path.read_bytes() == contents[made.index(True)]
        assert list(path.parent.iterdir()) == [path]
        assert mode(path) == 0o600

    def test_a_file_system_without_unnamed_files_is_served(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = os.open

        def refusing(path: Path, flags: int, *mode: int) -> int:
            if files._UNNAMED and flags & files._UNNAMED == files._UNNAMED:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            return opened(path, flags, *mode)

        monkeypatch.setattr(os, "open", refusing)
        assert files.create_file(tmp_path / "age.key", b"key")
        assert not files.create_file(tmp_path / "age.key", b"another")
        assert (tmp_path / "age.key").read_bytes() == b"key"
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize("survivors", range(6))
    def test_a_kill_between_any_two_writes_is_made_good(
        self, store: LocalStore, monkeypatch: pytest.MonkeyPatch, survivors: int
    ) -> None:
        deliver(store, 1, "one")
        replace, remove, left = sealed_module.replace_file, sealed_module.remove_file, [survivors]

        def count() -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt

        def replacing(path: Path, content: bytes) -> None:
            count()
            replace(path, content)

        def removing(path: Path) -> None:
            count()
            remove(path)

        with monkeypatch.context() as broken:
            broken.setattr(sealed_module, "replace_file", replacing)
            broken.setattr(sealed_module, "remove_file", removing)
            with pytest.raises(KeyboardInterrupt):
                deliver(store, 2, "two")
        assert text_of(store, 1) == "one"
        seen, shown = at(store.as_reader()), at(store)
        assert not shown.unknown
        assert seen.unknown or seen == shown
        deliver(store, 2, "two")
        shown = at(store.as_reader())
        assert shown == at(store)
        assert shown.current is not None
        assert (shown.current.generation, shown.unknown) == (2, False)
        store.discard(PATH, IDENTITY, 2)
        assert at(store).staged == ()

    def test_a_kill_after_the_note_of_a_first_delivery(self, store: LocalStore, root: Path) -> None:
        deliver(store, 1, "one")
        (root / f"{PATH}.age").unlink()
        assert at(store) == at(store.as_reader()) == Delivered()
        deliver(store, 2, "two")
        assert text_of(store, 2) == "two"

    def test_a_document_cut_short_is_damaged(self, store: LocalStore, root: Path) -> None:
        deliver(store, 1, "one")
        file = root / f"{PATH}.age"
        file.write_bytes(file.read_bytes()[:-20])
        assert at(store.as_reader()).unknown
        with pytest.raises(Damaged, match="cut short"):
            at(store)

    def test_a_strangers_file_is_left_alone(self, store: LocalStore, root: Path) -> None:
        deliver(store, 1, "one", path="apps/other")
        stranger = pyrage.x25519.Identity.generate().to_public()
        file = root / f"{PATH}.age"
        file.write_bytes(pyrage.encrypt(b"{}", [stranger]))
        assert at(store) == at(store.as_reader()) == Delivered(exists=True)
        with pytest.raises(Damaged):
            deliver(store, 1, "one")

    def test_an_encrypted_text_is_no_document(self, store: LocalStore, root: Path, key: Path) -> None:
        deliver(store, 1, "one", path="apps/other")
        recipient = pyrage.x25519.Identity.from_str(key.read_text().splitlines()[-1]).to_public()
        (root / f"{PATH}.age").write_bytes(pyrage.encrypt(b"hello", [recipient]))
        with pytest.raises(Damaged, match="holds no JSON object"):
            deliver(store, 1, "one")

    def test_a_note_that_cannot_be_read_is_written_again(self, store: LocalStore, root: Path) -> None:
        deliver(store, 1, "one")
        before = at(store)
        for content in ("{", "[]", '{"format": 99}'):
            (root / f"{PATH}.json").write_text(content)
            assert at(store.as_reader()).unknown
            assert at(store) == at(store.as_reader()) == before

    def test_errors_of_the_system_name_the_file(self, tmp_path: Path, key: Path) -> None:
        (tmp_path / "file").write_text("")
        store = LocalStore("files", root=tmp_path / "file" / "below", key=key)
        with pytest.raises(Unavailable, match=r"cannot be used"):
            deliver(store, 1, "one")


def test_they_live_beside_the_store_or_elsewhere(store: LocalStore, root: Path, tmp_path: Path) -> None:
    assert store.ledgers().descriptor.settings["path"] == str(root / "ledgers.sqlite3")
    assert store.ledgers(tmp_path).descriptor.settings["path"] == str(tmp_path / "ledgers.sqlite3")
    ledgers = store.ledgers()
    assert LocalLedgers(**ledgers.descriptor.settings).descriptor == ledgers.descriptor


def test_nothing_of_a_value_is_logged(store: LocalStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    deliver(store, 1, "very-secret")
    with pytest.raises(Conflict):
        store.promote(PATH, entry(1, "other"), about(), {})
    assert "very-secret" not in caplog.text


def test_the_name_of_every_folder_that_a_write_makes_is_synced_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    for number, write in enumerate((replace_file, create_file)):
        synced.clear()
        top = tmp_path / f"store-{number}"
        write(top / "apps" / "eu" / "billing.age", b"x")
        folders = [name for name in synced if Path(name).is_dir()]
        assert folders == [str(tmp_path), str(top), str(top / "apps"), str(top / "apps" / "eu")]
        synced.clear()
        write(top / "apps" / "eu" / "mailer.age", b"x")
        assert [name for name in synced if Path(name).is_dir()] == [str(top / "apps" / "eu")]
