"""What reaches a terminal: help, versions, errors without frames, and names that cannot play tricks."""

from __future__ import annotations

import builtins
import io
import json
import os
import signal
import socket
import threading
from typing import Any

import pytest
from cli_project import Project
from rich.console import Console

from keysteward.cli import terminal
from keysteward.cli.progress import Display
from keysteward.core.contract.observed import Settings
from keysteward.core.errors import Rejected
from keysteward.testing.memory import MemoryObject

COMMANDS = ("preview", "up", "show", "revoke", "lift", "offboard", "reissue", "resolve", "doctor", "sandbox", "init")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_exit_codes(project: Project, command: str) -> None:
    shown = project.run(command, "--help")
    assert shown.code == 0
    assert "Exit code 0" in " ".join(shown.out.split())
    assert command in project.run("--help").out


def test_version(project: Project) -> None:
    assert project.run("--version").out == "keysteward 0.1.0\n"


def test_a_wrong_option_is_an_error_like_any_other(project: Project) -> None:
    for words in (("preview", "--bogus"), ("--bogus",), ("nothing",)):
        assert project.run(*words).code == 1, "2 means that something is due, and nothing else"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("drift", "Looking at targets, stores and ledgers ..."),
        ("inventory", "Looking at targets, stores and ledgers ..."),
        ("preview", "Planning ..."),
        ("rotate --due --yes", "Planning ..."),
        ("forecast", "Looking ahead ..."),
    ],
)
def test_a_terminal_shows_that_something_is_under_way_and_a_pipe_does_not(
    command: str, words: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run("up", "--yes")
    assert words not in project.run(*command.split()).err
    screen = io.StringIO()
    monkeypatch.setattr(terminal, "console", lambda **_stderr: Console(file=screen, force_terminal=True))
    project.run(*command.split())
    assert words in screen.getvalue()


def test_markup_and_control_characters_from_outside_are_shown_as_text(project: Project) -> None:
    project.run("up", "--yes")
    nasty = "[red]x[/red]\x1b[2J\r\u202eevil"
    (item,) = project.target.objects.values()
    project.target.objects = {"o": MemoryObject("o", item.client_id, Settings("private_key_jwt"), item.mark)}

    def refuse(operation: str) -> None:
        if operation == "look":
            raise Rejected(f"client {nasty} is strange")

    project.target.before = refuse
    done = project.run("up", "--yes")
    for text in (done.out, done.err):
        assert not set("\x1b\r\u202e") & set(text)
    assert "client [red]x[/red][2J evil is strange" in done.out

    project.declare(project.client(purpose=nasty, consumer=nasty))
    shown = project.run("show", "billing-exporter")
    assert "[red]x[/red][2J evil" in shown.out
    assert "\x1b" not in shown.out
    assert json.loads(project.run("show", "billing-exporter", "--json").out)["consumer"] == nasty


def test_a_defect_is_one_sentence_unless_somebody_debugs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(_prefix: str) -> Any:  # noqa: ANN401 - never returns
        raise ZeroDivisionError("secret-1")

    monkeypatch.setattr(project.ledgers, "list", defect)
    shown = project.run("preview")
    assert shown.code == 1
    told = "internal error (ZeroDivisionError); run again with KEYSTEWARD_DEBUG=1 and report it"
    assert shown.err == f"error: ledgers: {told}\n"
    monkeypatch.setenv("KEYSTEWARD_DEBUG", "1")
    assert "Traceback" in project.run("preview").err


def test_steps_are_logged_when_asked_for(project: Project) -> None:
    assert project.run("up", "--yes").err == ""
    project.pass_time(days=90)
    assert "credential=acme/demo/billing-exporter operation=issue generation=2" in (
        project.run("--log-level", "info", "up", "--yes").err
    )


def test_no_secret_is_ever_printed(project: Project) -> None:
    said = ""
    for words in ("up --yes", "preview", "show billing-exporter", "reissue billing-exporter --reason leak --yes"):
        for flags in ("", "--log-level debug "):
            answer = project.run(*f"{flags}{words}".split())
            said += answer.out + answer.err
    for number in (1, 2, 3):
        assert f"key-{number}" not in said


def press_ctrl_c(heard: threading.Event) -> None:
    """As a terminal does: the signal goes to the process, and its main thread hears it."""
    heard.clear()
    os.kill(os.getpid(), signal.SIGINT)
    assert heard.wait(60)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    heard, note = threading.Event(), Display.note

    def note_and_tell(self: Display, text: str) -> None:
        note(self, text)
        heard.set()

    monkeypatch.setattr(Display, "note", note_and_tell)
    return heard


def test_ctrl_c_lets_the_step_finish_and_begins_nothing_new(project: Project, noted: threading.Event) -> None:
    project.declare(*(project.client(f"app-{n}") for n in range(3)))

    def strike(operation: str) -> None:
        if operation == "create":
            project.target.after = lambda _operation: None
            press_ctrl_c(noted)

    project.target.after = strike
    before = signal.getsignal(signal.SIGINT)
    stopped = project.run("up", "--yes", "--parallel", "1")

    assert stopped.code == 130
    assert "stopping after the steps under way" in stopped.err
    assert "! app-0  stopped by Ctrl-C; the next run goes on from there" in stopped.out
    assert "! app-1  not begun; the next run does it" in stopped.out
    assert len(project.target.objects) == 1
    assert signal.getsignal(signal.SIGINT) is before

    project.pass_time(minutes=6)
    assert project.run("up", "--yes").code == 0
    assert len(project.target.objects) == 3
    assert project.states("app-0") == ["1 current"]


def test_a_second_ctrl_c_exits_at_once(
    project: Project, noted: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, codes = threading.Event(), []

    def leave(code: int) -> None:
        codes.append(code)
        left.set()

    def strike(operation: str) -> None:
        if operation == "create":
            press_ctrl_c(noted)
            press_ctrl_c(left)

    monkeypatch.setattr("os._exit", leave)
    project.target.after = strike
    project.run("up", "--yes")
    assert codes[0] == 130


def test_the_sandbox_says_how_to_install_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - as the builtin has it
        if name.startswith("keysteward.sandbox"):
            raise ModuleNotFoundError("No module named 'werkzeug'", name="werkzeug")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    shown = project.run("sandbox")
    assert shown.code == 1
    assert "werkzeug is missing); run: pip install 'keysteward[sandbox]'" in shown.err


def test_the_sandbox_says_where_it_is_and_when_a_port_is_taken(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keysteward.cli.commands.sandbox.say", lambda _text: os.kill(os.getpid(), signal.SIGINT))
    free = ("--vault-port", "0", "--workos-port", "0")
    shown = project.run("sandbox", "--keycloak-port", "0", *free)
    assert shown.code == 0
    assert "Keycloak  http://127.0.0.1:" in shown.out
    assert "Vault     http://127.0.0.1:" in shown.out
    assert "WorkOS    http://127.0.0.1:" in shown.out

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = project.run("sandbox", "--keycloak-port", port, *free)
    assert refused.code == 1
    assert "choose other ports with --keycloak-port, --vault-port and --workos-port" in refused.err


def test_the_policies_of_vault(project: Project) -> None:
    shown = project.run("policy", "vault", "consumer", "--path", "apps/*")
    assert shown.code == 0
    assert 'path "secret/data/apps/*"' in shown.out
    assert project.run("policy", "vault", "anybody", "--path", "apps/*").code == 1
