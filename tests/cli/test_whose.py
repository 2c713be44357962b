"""A secret turned up somewhere: whose is it, does it still work, and what is to be done."""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_project import Answer, Project

from keysteward import Owners
from keysteward.core.contract.ports import Stored
from keysteward.core.errors import AccessDenied, Unavailable
from keysteward.core.record.ledger import dump_ledger
from keysteward.host.material import new_material
from keysteward.operations.search import files
from keysteward.testing.memory import MemoryLedgers


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let secrets be made as in production: long and random."""
    monkeypatch.setattr("keysteward.operations.session.new_material", new_material)


@pytest.fixture
def rotating(project: Project, seen: None) -> Project:  # noqa: ARG001 - makes real secrets
    """A project with a client secret that is replaced with overlap: two clients take turns."""
    project.declare(project.client(auth_method="client_secret", alternate_clients=True))
    project.run("up", "--yes")
    return project


def secret_of(project: Project, name: str = "billing-exporter") -> str:
    value = project.store.reads(f"apps/{name}")
    assert value is not None
    return value


def rotate(project: Project) -> None:
    project.pass_time(days=90)
    assert project.run("up", "--yes").code == 0


def test_a_value_on_standard_input_is_traced(rotating: Project) -> None:
    told = rotating.run("whose", say=f"{secret_of(rotating)}\n")
    assert told.code == 2
    assert "standard input:1: billing-exporter, generation 1 (current), secret" in told.out
    assert "billing-exporter, generation 1 (current): it still works: consumers use it" in told.out
    for label, words in (
        ("owner", "team-billing (billing@example.com)"),
        ("purpose", "Nightly invoice export"),
        ("environment", "production"),
        ("target", "corp, client billing-exporter"),
        ("next", "keysteward reissue billing-exporter --reason TEXT  (a new secret now, "),
        ("or", "keysteward revoke billing-exporter --generation 1 --reason TEXT  (end this one at once: "),
    ):
        assert f"  {label:13}{words}" in told.out
    assert "Searched 1 text for the secrets of acme/demo: 1 known secret." in told.out


def test_what_nobody_knows_is_no_error(rotating: Project) -> None:
    told = rotating.run("whose", say="something else entirely\n")
    assert (told.code, told.err) == (0, "")
    assert told.out == "Searched 1 text for the secrets of acme/demo: nothing known.\n"


def test_a_previous_and_a_retired_secret_are_known_too(rotating: Project) -> None:
    first = secret_of(rotating)
    rotate(rotating)
    told = rotating.run("whose", say=first)
    assert "generation 1 (previous): it still works until its overlap ends" in told.out
    assert "  next         keysteward revoke billing-exporter --generation 1 --reason TEXT  (end this one" in told.out
    assert "reissue" not in told.out

    rotating.pass_time(days=8)
    rotating.run("up", "--yes")
    told = rotating.run("whose", say=first)
    assert told.code == 2
    assert "generation 1 (retired): it does not work any more: it ended on 2026-" in told.out
    assert "nothing has to be ended; find out how it came there" in told.out


def test_it_needs_the_ledgers_alone(rotating: Project) -> None:
    value = secret_of(rotating)

    def down(_operation: str) -> None:
        raise Unavailable("down")

    rotating.target.before = down
    calls = len(rotating.target.calls)
    rotating.owners = "owners.yaml"
    rotating.declare()
    writes = rotating.ledgers.writes

    told = rotating.run("whose", say=value)
    assert told.code == 2
    assert "warning: owners file" in told.err
    assert "  owner        team-billing\n" in told.out
    assert "keysteward reissue" not in told.out, "nothing declares it any more"
    assert len(rotating.target.calls) == calls
    assert rotating.ledgers.writes == writes


def test_the_owner_who_is_gone_is_said_to_be(rotating: Project) -> None:
    rotating.owners = Owners.model_validate(
        {"teams": {"team-billing": {"contact": "billing@example.com", "state": "gone"}}}
    )
    rotating.declare(rotating.client(auth_method="client_secret", alternate_clients=True))
    told = rotating.run("whose", say=secret_of(rotating))
    assert "team-billing (billing@example.com), who is gone" in told.out


def test_a_key_pair_is_traced_by_its_private_key_its_public_key_and_its_id(project: Project, seen: None) -> None:  # noqa: ARG001
    project.run("up", "--yes")
    private = json.loads(secret_of(project))
    told = project.run("whose", say=json.dumps(private, indent=2))
    assert told.code == 2
    assert "billing-exporter, generation 1 (current), private key" in told.out
    assert "keysteward reissue billing-exporter" in told.out

    public = {name: value for name, value in private.items() if name != "d"}
    for text, form in ((json.dumps(public), "public key"), (private["kid"], "key id")):
        told = project.run("whose", say=text)
        assert told.code == 2
        assert f"found as     {form}: no secret is in it" in told.out
        assert "keysteward reissue" not in told.out


def test_a_repository_is_searched_file_by_file(rotating: Project) -> None:
    value = secret_of(rotating)
    repository = rotating.root / "repository"
    for path, content in {
        "README.md": b"nothing\n",
        "src/settings.py": f"# one\nSECRET = '{value}'\n".encode(),
        "data/dump.bin": b"\x00\xff\x00" * 99 + value.encode() + b"\x00\xff",
        ".env": f"A=1\nB=2\nCLIENT_SECRET={value}\n".encode(),
        ".git/HEAD": b"ref: refs/heads/main\n",
        ".git/refs/heads/main": b"0\n",
        ".git/objects/ab/cdef": value.encode(),
        ".git/config": f"url = https://x:{value}@example.com\n".encode(),
    }.items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_bytes(content)
    (repository / "link").symlink_to("README.md")
    (repository / "around").symlink_to(".")
    os.mkfifo(repository / "pipe")

    told = rotating.run("whose", "repository")
    assert told.code == 2
    found = [line.split(": ")[0] for line in told.out.splitlines() if line.endswith("(current), secret")]
    assert found == [
        "repository/.env:3",
        "repository/.git/config:1",
        "repository/data/dump.bin:1",
        "repository/src/settings.py:2",
    ]
    assert "not searched: the compressed history of git (.git/objects); search it with: git log -p --all" in told.out
    assert "Searched 7 files for the secrets of acme/demo: 1 known secret." in told.out
    assert value not in told.out + told.err


def test_json_says_the_same(rotating: Project) -> None:
    (rotating.root / "app.log").write_text(f"one\n{secret_of(rotating)}\n")
    told = rotating.run("whose", "--json", "app.log")
    assert told.code == 2
    document = json.loads(told.out)
    [found] = document["found"]
    assert (document["format"], document["stack"], document["searched"]) == (1, "acme/demo", 1)
    assert (found["identity"], found["generation"], found["state"]) == ("acme/demo/billing-exporter", 1, "current")
    assert (found["works"], found["form"], found["declared"]) == ("yes", "secret", True)
    assert found["places"] == [{"file": "app.log", "line": 2}]
    assert found["owner"] == {"name": "team-billing", "contact": "billing@example.com", "state": "active"}
    assert [step["command"].split()[1] for step in found["next"]] == ["reissue", "revoke"]
    assert found["fingerprint"] == rotating.ledger().generations[0].fingerprint


def test_a_large_log_is_searched_by_several_processes_with_its_lines_counted(
    rotating: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = secret_of(rotating)
    monkeypatch.setattr(files, "ALONE", 1000)
    monkeypatch.setattr(files, "processors", lambda: 2)
    lines = 2 * files.CHUNK // 40
    with (rotating.root / "app.log").open("w") as log:
        for number in range(lines):
            log.write(f"{value}\n" if number in {7, lines // 2, lines - 1} else f"{number:039}\n")
    told = rotating.run("whose", "app.log", "--json")
    [found] = json.loads(told.out)["found"]
    assert [place["line"] for place in found["places"]] == [8, lines // 2 + 1, lines]

    with (rotating.root / "app.log").open() as log:
        told = rotating.run("whose", say=log.read())
    assert f"standard input:{lines}: billing-exporter, generation 1" in told.out


def test_a_named_pipe_can_be_searched(rotating: Project) -> None:
    os.mkfifo(rotating.root / "pipe")
    writer = threading.Thread(target=lambda: (rotating.root / "pipe").write_text(secret_of(rotating)))
    writer.start()
    told = rotating.run("whose", "pipe")
    writer.join()
    assert told.code == 2
    assert "pipe:1: billing-exporter" in told.out


def test_a_renamed_credential_is_known_by_its_new_name(rotating: Project) -> None:
    value = secret_of(rotating)
    renamed = rotating.client(
        "exporter",
        auth_method="client_secret",
        alternate_clients=True,
        previously="billing-exporter",
        client_id="billing-exporter",
        deliver_to=rotating.store.path("apps/billing-exporter"),
    )
    rotating.declare(renamed)
    rotating.run("up", "--yes")
    told = json.loads(rotating.run("whose", "--json", say=value).out)
    assert [found["name"] for found in told["found"]] == ["exporter"]


# ---- nothing printed holds the value

SPOILT: dict[str, Callable[[str], str]] = {
    "bare": lambda s: s,
    "quoted": lambda s: f'"{s}"',
    "named": lambda s: f"client_secret={s}",
    "JSON": lambda s: json.dumps({"client_secret": s}),
    "URL": lambda s: f"https://billing:{s}@example.com/?x=1",
    "Basic": lambda s: "Authorization: Basic " + base64.b64encode(f"billing:{s}".encode()).decode(),
    "log": lambda s: f"x\n\x1b[31m{s}\x1b[0m\n",
}


@pytest.mark.parametrize("form", SPOILT)
@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_printed_holds_the_value_or_the_key(
    rotating: Project, form: str, as_json: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    value = secret_of(rotating)
    told = rotating.run("--log-level", "debug", "whose", *(["--json"] if as_json else []), say=SPOILT[form](value))
    assert told.code == 2
    key = rotating.ledgers.read("keys/acme/demo").document
    assert key is not None
    printed = told.out + told.err + caplog.text
    for hidden in (value, value[:12], value[-12:], key["key"], base64.b64decode(key["key"]).hex()):
        assert hidden not in printed


def given_as_an_argument(project: Project, *words: str) -> Answer:
    told = project.run("whose", *words)
    assert told.code == 1
    assert told.out == ""
    return told


@pytest.mark.parametrize("how", ["{0}", "--{0}", "{0} {0}", "/{0}/x", "{0}" * 9])
def test_a_value_given_as_an_argument_is_refused_and_not_repeated(rotating: Project, how: str) -> None:
    value = secret_of(rotating)
    told = given_as_an_argument(rotating, *how.format(value).split())
    assert value not in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert "a value must never be an argument" in told.err


def test_no_wrong_use_of_an_option_repeats_the_value_either(rotating: Project) -> None:
    value = secret_of(rotating)
    for words in ((f"--json={value}",), ("--stack", value), (f"-s{value}",), (f"-{value}",)):
        told = rotating.run("whose", *words)
        assert told.code in {0, 1}, "0: it held an h, and the help was shown"
        assert value not in told.out + told.err
        assert value[-5:] not in told.out + told.err


TYPED = [
    ("whose", "--value", "{0}"),
    ("whose", "--value={0}"),
    ("--{0}",),
    ("{0}",),
    ("--log-level", "{0}", "up"),
    ("up", "--value", "{0}"),
    ("up", "--value={0}"),
    ("up", "--{0}"),
    ("up", "--{0}=x"),
    ("up", "--parallel", "{0}"),
    ("up", "--yes={0}"),
    ("show", "billing-exporter", "{0}"),
    ("reissue", "billing-exporter", "{0}", "--reason", "leak", "--yes"),
    ("resolve", "billing-exporter", "id", "{0}", "--ours"),
    ("revoke", "billing-exporter", "-g", "{0}", "--reason", "leak"),
    ("audit", "{0}"),
    ("audit", "show", "--last", "{0}"),
]


@pytest.mark.parametrize("words", TYPED, ids=" ".join)
def test_no_command_repeats_a_value_typed_where_none_belongs(rotating: Project, words: tuple[str, ...]) -> None:
    value = secret_of(rotating)
    told = rotating.run(*(word.format(value) for word in words))
    assert told.code == 1
    for part in (value, value[:8], value[-8:]):
        assert part not in told.out + told.err


def test_a_wrong_option_or_command_still_says_what_may_have_been_meant(project: Project) -> None:
    told = project.run("up", "--prone")
    assert "No such option. What was typed is not repeated here: it may be a secret." in flowing(told.err)
    assert "(Possible options: --json, --plan, --prune)" in flowing(told.err)
    assert "No such command. Did you mean 'rotate'?" in flowing(project.run("rotat").err)
    assert "There is an argument too many." in flowing(project.run("show", "a", "b").err)
    assert "it must be one of 'debug', 'info', 'warning'" in flowing(project.run("--log-level", "x", "up").err)


def flowing(text: str) -> str:
    """Return a framed message as one line."""
    return " ".join(text.replace("│", " ").split())


def test_a_file_whose_name_is_the_secret_is_not_named(rotating: Project) -> None:
    value = secret_of(rotating)
    folder = rotating.root / "files"
    folder.mkdir()
    (folder / f"{value}.txt").write_text(f"x\n{value}\n")
    told = rotating.run("whose", "files")
    assert told.code == 2
    assert "(a file whose name holds the secret): billing-exporter, generation 1 (current), secret" in told.out
    assert value not in told.out + told.err


# ---- what is wrong


@pytest.mark.parametrize("text", ["", "\n", "  \n\n"])
def test_an_empty_standard_input_is_told(rotating: Project, text: str) -> None:
    told = rotating.run("whose", say=text)
    assert told.code == 1
    assert "error: standard input is empty: give the value there, or name a file or folder to search" in told.err


def test_a_stack_that_issued_nothing_knows_nothing(project: Project) -> None:
    told = project.run("whose", say="anything")
    assert told.code == 0
    assert project.ledgers.writes == 0, "the key is not made by a search"


def test_a_damaged_ledger_hides_no_other_and_is_an_error_when_nothing_was_found(rotating: Project) -> None:
    rotating.ledgers.write("ledgers/acme/demo/broken", {"format": 1, "identity": "acme/demo/broken"}, 0)
    told = rotating.run("whose", say=secret_of(rotating))
    assert told.code == 2
    assert "warning: not compared: ledger of 'acme/demo/broken' cannot be read" in told.err
    assert rotating.run("whose", say="anything").code == 1


def test_a_key_that_is_lost_or_damaged_is_an_error(rotating: Project) -> None:
    stored = rotating.ledgers.read("keys/acme/demo")
    rotating.ledgers.write("keys/acme/demo", {"format": 1, "id": "k"}, stored.version)
    told = rotating.run("whose", say="anything")
    assert told.code == 1
    assert "error: the fingerprint key of acme/demo cannot be read: restore the ledger store from a backup" in told.err


def test_fingerprints_of_another_key_are_said_to_be_out_of_reach(rotating: Project) -> None:
    ledger = rotating.ledger().with_generation(1, fingerprint="old0:0011223344556677")
    rotating.ledgers.write(f"ledgers/{ledger.identity}", dump_ledger(ledger), ledger.version)
    told = rotating.run("whose", say="anything")
    assert told.code == 1
    assert "warning: 1 generations have fingerprints of another key, which cannot be compared" in told.err


def test_the_runners_right_serves_where_the_readers_does_not(
    rotating: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: MemoryLedgers) -> MemoryLedgers:
        raise AccessDenied("no reader here")

    monkeypatch.setattr(MemoryLedgers, "as_reader", refuse)
    assert rotating.run("whose", say=secret_of(rotating)).code == 2

    def down(_self: MemoryLedgers, _key: str) -> Stored:
        raise Unavailable("the ledger store is down")

    monkeypatch.setattr(MemoryLedgers, "read", down)
    told = rotating.run("whose", say="anything")
    assert told.code == 1
    assert "error: no reader here" in told.err


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_searched(
    rotating: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = rotating.root / "files"
    folder.mkdir()
    (folder / "a").write_text("x")
    (folder / "b").write_text(secret_of(rotating))
    opened = Path.open

    def refuse(self: Path, *args: object, **named: object) -> object:
        if self.name == "a":
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    told = rotating.run("whose", "files")
    assert told.code == 2
    assert "warning: files/a cannot be read (Permission denied)" in told.err
    (folder / "b").unlink()
    assert rotating.run("whose", "files").code == 1
