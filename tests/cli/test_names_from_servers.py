"""What a server calls its clients reaches terminals and the logs of CI jobs: it is shown, and commands nothing."""

from __future__ import annotations

import json
import re

import pytest
from cli_project import Project

from keysteward.core.contract.observed import Mark
from keysteward.core.errors import Unavailable
from keysteward.core.plain import one_line, tame
from keysteward.testing.memory import MemoryObject

EVIL = "x\n::error::taken over ##vso[task.setvariable variable=PATH]x\x1b[2J\x9b2J\u202e"
COMMAND = re.compile(r"^\s*::[A-Za-z]|##[A-Za-z]*\[", re.MULTILINE)


def quiet(text: str) -> bool:
    """Say whether nothing in an output is a command, to a CI system or to a terminal."""
    return not COMMAND.search(text) and not {"\x1b", "\x9b", "\u202e", "\r"} & set(text)


def plant(project: Project, name: str) -> None:
    """Let somebody make a client of that name at the server, with our mark on it."""
    mark = Mark("acme/demo/billing-exporter", "n0001")
    known = next(iter(project.target.objects.values()))
    project.target.objects["evil"] = MemoryObject("evil", name, known.settings, mark)


@pytest.mark.parametrize("name", [EVIL, "::error::taken over", "  ##[error]taken over", "a" * 180 + " ::error::x" * 9])
def test_no_output_of_a_command_holds_a_command_to_the_job(project: Project, name: str) -> None:
    project.run("up", "--yes")
    plant(project, name)

    def down(_operation: str) -> None:
        raise Unavailable(f"no answer from {name}")

    for words in (
        ("--log-level", "debug", "preview"),
        ("--log-level", "debug", "drift"),
        ("drift", "--format", "markdown"),
        ("drift", "--format", "json"),
        ("drift", "--format", "sarif"),
        ("inventory", "--all"),
        ("inventory", "--json"),
        ("doctor",),
        ("show", "billing-exporter"),
    ):
        shown = project.run(*words)
        assert quiet(shown.out), words
        assert quiet(shown.err), words
    found = json.loads(project.run("inventory", "--json").out)
    assert "error" in json.dumps(found["entries"]), "it is told all the same"
    project.ledgers.before = down
    done = project.run("--log-level", "info", "revoke", "billing-exporter", "--target", "corp", "-r", "leak", "--yes")
    assert "operation=disable target=corp client=" in done.err
    assert quiet(done.out)
    assert quiet(done.err)
    assert quiet(project.run("preview").err)


def test_a_log_line_shows_what_was_in_a_name(project: Project) -> None:
    project.run("up", "--yes")
    plant(project, "a\n::error::b\x1b[2J")
    done = project.run("--log-level", "info", "revoke", "billing-exporter", "--target", "corp", "-r", "leak", "--yes")
    assert "client=a\\n::error::b\\x1b[2J outcome=done" in done.err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a::b 2001:db8::1 ## [a](b)", "a::b 2001:db8::1 ## [a](b)"),
        ("::add-mask::x", "\\::add-mask::x"),
        (" \t::error::x", " \t\\::error::x"),
        ("a\n::error::x", "a\n\\::error::x"),
        ("INFO ##[group]x", "INFO #\\#[group]x"),
        ("###vso[a]", "##\\#vso[a]"),
        ("##teamcity[a", "#\\#teamcity[a"),
    ],
)
def test_what_is_no_command_is_shown_as_it_is(text: str, shown: str) -> None:
    assert tame(text) == shown
    assert tame(shown) == shown, "twice is no more"


def test_one_line_stays_one() -> None:
    assert one_line("é\r\n\u2028\ud800\x00\x9b") == "é\\r\\n\\u2028\\ud800\\x00\\x9b"
