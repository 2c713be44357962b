"""Those who watch the job see when a run last came by, whatever it found to do."""

from __future__ import annotations

from typing import Any

import pytest
from cli_project import Project

from keysteward.core.errors import Unavailable


def beat(project: Project) -> dict[str, Any]:
    document = project.ledgers.read("heartbeat/acme/demo").document
    assert document is not None
    return dict(document)


def test_every_run_that_may_write_leaves_a_heartbeat(project: Project) -> None:
    project.run("up", "--yes")
    first = beat(project)
    assert (first["format"], first["door"], first["command"], first["outcome"]) == (1, "keysteward", "up", "done")
    assert first["counts"] == {"done": 2}
    assert first["at"] == project.clock.now.isoformat()
    assert len(first["runner"].split("/")) == 6

    project.pass_time(days=1)
    assert project.run("rotate", "--due").code == 0, "nothing is due, and that is worth knowing"
    second = beat(project)
    assert (second["command"], second["counts"]) == ("rotate", {})
    assert set(second["last"]) == {"up", "rotate"}
    assert second["last"]["up"] == {"at": first["at"], "outcome": "done"}


def test_what_only_looks_leaves_none(project: Project) -> None:
    for words in (("preview",), ("doctor",), ("up",)):
        project.run(*words)
    assert project.ledgers.read("heartbeat/acme/demo").document is None, "nor a plan that nobody confirmed"


def test_a_failed_run_says_so(project: Project) -> None:
    project.target.refuse = lambda _claim: "audience is missing"

    def broken(_operation: str) -> None:
        raise Unavailable("the realm is down")

    project.run("up", "--yes")
    project.target.before = broken
    assert project.run("up", "--yes").code == 1
    assert beat(project)["outcome"] == "failed"


def test_a_heartbeat_that_cannot_be_written_is_a_warning(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    write = project.ledgers.write

    def refuse(key: str, document: Any, expected: int) -> int:  # noqa: ANN401 - JSON
        if key.startswith("heartbeat/"):
            raise Unavailable("the ledger store is read-only now")
        return write(key, document, expected)

    monkeypatch.setattr(project.ledgers, "write", refuse)
    done = project.run("up", "--yes")
    assert done.code == 0
    assert "operation=heartbeat stack=acme/demo outcome=failed reason='the ledger store is read-only now'" in done.err
    assert project.states() == ["1 current"]


def test_a_heartbeat_that_somebody_spoilt_is_written_anew(project: Project) -> None:
    project.ledgers.write("heartbeat/acme/demo", {"format": 1, "last": []}, 0)
    assert project.run("up", "--yes").code == 0
    document = project.ledgers.read("heartbeat/acme/demo").document
    assert document is not None
    assert list(document["last"]) == ["up"]


def test_what_a_person_lets_be_issued_at_once_leaves_one_too(project: Project) -> None:
    project.run("up", "--yes")
    project.run("reissue", "billing-exporter", "--reason", "a test", "--yes")
    project.run("revoke", "billing-exporter", "--all", "--reason", "a test", "--yes")
    project.run("lift", "billing-exporter", "--reason", "a test", "--yes")
    document = project.ledgers.read("heartbeat/acme/demo").document
    assert document is not None
    assert {name: last["outcome"] for name, last in document["last"].items()} == dict.fromkeys(
        ("up", "reissue", "revoke", "lift"), "done"
    )
