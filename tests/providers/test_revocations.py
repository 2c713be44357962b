"""Records of revocations without a ledger store: several people may write them at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from keysteward.operations.offline import revocations
from keysteward.operations.offline.revocations import Marked, keep, read_record, waiting

IDENTITY = "acme/prod/billing"
WAIT_SECONDS = 1.0
"""So long the one who writes waits for the other, who must not get through meanwhile."""


def disabled(number: int) -> list[Marked]:
    return [Marked("corp", f"id-{number}", f"billing-{number}", was_enabled=True)]


def test_two_who_revoke_at_once_lose_no_client_of_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = threading.Thread(target=keep, args=(tmp_path, IDENTITY, "leak", disabled(2)), daemon=True)
    write = revocations.replace_file

    def beside(path: Path, content: bytes) -> None:
        """Let the other one come when the first has read what stands there and is about to write."""
        if threading.current_thread() is threading.main_thread():
            other.start()
            other.join(WAIT_SECONDS)
        write(path, content)

    monkeypatch.setattr(revocations, "replace_file", beside)
    path = keep(tmp_path, IDENTITY, "leak", disabled(1))
    other.join()
    assert read_record(path).disabled == {"corp": ("id-1", "id-2")}
    assert list(waiting(tmp_path, "acme/prod")) == [path], "the lock is no record"
