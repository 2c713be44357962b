"""A pull request is reviewed without a secret: what it changes shows, and neither side runs with a credential."""

from __future__ import annotations

import io
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cli_project import Answer
from repository import KEY, MORE, STACK, Repository
from samples import drawn, sampled

from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.review import WEIGHTS, Change, Review, Risk, Sort
from keysteward.host import offspring
from keysteward.operations import read_side, review_sides
from keysteward.report.policy.review import LONGEST_COMMENT, MARKER, Comment, review_markdown

DOCS = Path(__file__).parents[2] / "docs"
SECRET = "s3cr3t-of-the-runner"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    return made_in(tmp_path / "repository", monkeypatch)


def made_in(top: Path, monkeypatch: pytest.MonkeyPatch, folder: str = "") -> Repository:
    temporary = top.parent / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delenv("KEYSTEWARD_STACK", raising=False)
    repository = Repository(top, folder)
    monkeypatch.chdir(repository.root)
    return repository


def left_over(repository: Repository) -> list[str]:
    """Return what is still there of a run: worktrees and temporary folders."""
    temporary = repository.top.parent / "temporary"
    return repository.worktrees()[1:] + [path.name for path in temporary.iterdir()]


def declared(shown: Answer) -> list[dict[str, Any]]:
    """Return the changes that declarations tell, without those that the names of files do."""
    return [change for change in json.loads(shown.out)["changes"] if change["subject"] != "files"]


def rows(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_nothing_changed(repository: Repository) -> None:
    shown = repository.run("review", "--base", "main")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"{MARKER}\n### keysteward review: no credential changes\n")
    assert left_over(repository) == []


def test_a_widened_scope_and_a_new_key_are_shown_the_worst_first(repository: Repository) -> None:
    repository.git("switch", "--quiet", "--create", "more")
    repository.change('access={api: ["read"]}', 'access={api: ["read", "write"]}')
    repository.change(MORE, KEY)
    repository.change('overlap="7d"', 'overlap="5d"')
    repository.commit("More")
    shown = repository.run("review", "--base", "main")
    assert shown.code == 0
    assert shown.out.startswith(f"{MARKER}\n### keysteward review: 2 high, 2 medium, 1 low\n")
    assert [(row[0], row[1], row[3], row[4]) for row in rows(shown.out)] == [
        ("**high**", "`exporter`", "KS016", "`billing`"),
        ("**high**", "`partner`", "KS023", "`orders`, `sec`"),
        ("medium", "`partner`", "KS023", "`orders`, `sec`"),
        ("medium", "`files`", "", "`sec`"),
        ("low", "`exporter`", "KS012", "`billing`"),
    ]
    assert "access: write added" in shown.out
    assert "Approval needed from: `billing`, `orders`, `sec`." in shown.out
    assert "KS016 Least privilege: no wildcard and no administrator's scopes" in shown.out
    assert "#### New findings: " in shown.out
    assert left_over(repository) == []


def test_the_json_says_the_same(repository: Repository) -> None:
    repository.change('access={api: ["read"]}', 'access={api: ["read", "write"]}')
    shown = repository.run("review", "--base", "main", "--json")
    document = json.loads(shown.out)
    assert document["format"] == 1
    assert document["base"] == repository.git("rev-parse", "main")
    assert document["stacks"] == ["acme/prod"]
    assert document["summary"] == {"high": 1, "medium": 1, "low": 0}
    assert declared(shown) == [
        {
            "sort": "scopes added",
            "risk": "high",
            "subject": "acme/prod/exporter",
            "message": "access: write added",
            "rule": "KS016",
            "approvers": ["billing"],
            "until": None,
        }
    ]
    assert document["new_findings"] == document["gone_findings"] == []


@pytest.mark.parametrize(
    ("old", "new", "file", "codes"),
    [
        pytest.param('access={api: ["read"]}', 'access={api: ["read", "write"]}', None, (2, 2, 0), id="high"),
        pytest.param(
            "contact: sec@example.com",
            "contact: all@example.com",
            "owners.yaml",
            (0, 0, 0),
            id="low",
            marks=pytest.mark.proof,
        ),
        pytest.param('every="90d"', 'every="120d"', None, (0, 2, 0), id="medium", marks=pytest.mark.proof),
        pytest.param('"""The stack of', '"""The one stack of', None, (0, 2, 0), id="a program"),
    ],
)
def test_a_gate_closes_at_its_risk(
    repository: Repository, old: str, new: str, file: str | None, codes: tuple[int, ...]
) -> None:
    repository.change(old, new, file)
    gates = ("high", "medium", "none")
    assert tuple(repository.run("review", "--base", "main", "--fail-on", gate).code for gate in gates) == codes


def test_what_main_has_since_is_not_undone_by_the_branch(repository: Repository) -> None:
    repository.git("switch", "--quiet", "--create", "mine")
    repository.change('every="90d"', 'every="60d"')
    repository.commit("Mine")
    repository.git("switch", "--quiet", "main")
    repository.change(MORE, 'client("other"),')
    repository.commit("Theirs")
    repository.git("switch", "--quiet", "mine")
    shown = repository.run("review", "--base", "main", "--json")
    assert [change["sort"] for change in declared(shown)] == ["rotated more often"]


def test_a_new_stack_is_all_added_and_one_that_goes_is_told(repository: Repository) -> None:
    repository.write("stacks/test.py", STACK.replace("acme/prod", "acme/test"))
    shown = repository.run("review", "--base", "main", "--json")
    ports = ["target or store added"] * 3
    assert [c["sort"] for c in declared(shown)] == [*ports, "stack added", "added", "API added"]
    assert {name for c in declared(shown) for name in c["approvers"]} == {"sec", "billing"}
    assert json.loads(shown.out)["stacks"] == ["acme/prod", "acme/test"]
    assert declared(repository.run("review", "--base", "main", "--stack", "demo", "--json")) == []
    repository.commit("A second stack")
    (repository.root / "stacks" / "test.py").unlink()
    gone = repository.run("review", "--base", "main", "--json")
    assert [(c["sort"], c["subject"]) for c in declared(gone)] == [("stack removed", "acme/test")]


def test_a_module_that_exports_no_stack_is_none_unless_it_is_named(repository: Repository) -> None:
    repository.write("stacks/shared.py", "EVERY = '90d'\n")
    assert repository.run("review", "--base", "main").code == 0
    named = repository.run("review", "--base", "main", "--stack", "shared")
    assert named.code == 1
    assert (
        named.err == "error: the head: stack shared: module stacks.shared exports no stack; write: stack = Stack(...)\n"
    )


def test_each_side_has_its_own_modules(repository: Repository) -> None:
    repository.write("stacks/shared.py", "EVERY = '90d'\n")
    repository.change("from datetime import date", "from datetime import date\nfrom stacks.shared import EVERY")
    repository.change('every="90d"', "every=EVERY")
    repository.commit("Shared")
    repository.write("stacks/shared.py", "EVERY = '30d'\n")
    shown = repository.run("review", "--base", "main", "--json")
    assert [c["message"] for c in declared(shown)] == ["rotation.every: 30d (was 90d)"]


def test_a_project_in_a_folder_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = made_in(tmp_path / "repository", monkeypatch, "infra/keys")
    repository.change('every="90d"', 'every="30d"')
    shown = repository.run("review", "--base", "main", "--json")
    assert [c["sort"] for c in declared(shown)] == ["rotated more often"]
    assert left_over(repository) == []


def test_an_owner_who_leaves_is_shown_with_what_that_touches(repository: Repository) -> None:
    repository.change("contact: billing@example.com,", "contact: billing@example.com, state: gone,", "owners.yaml")
    shown = repository.run("review", "--base", "main")
    assert rows(shown.out)[0][1] == "`owner billing`"
    assert "it touches exporter" in shown.out
    assert "- **error** (KS002, `exporter`)" in shown.out


BAD_HEADS = {
    "syntax": ("stack = \n", "the head: stack demo: stacks/demo.py, line 1: SyntaxError: invalid syntax"),
    "environment": (
        "import os\nstack = os.environ['URL']\n",
        "the head: stack demo: stacks/demo.py, line 2: KeyError: 'URL'",
    ),
    "exit": ("raise SystemExit(0)\n", "the head: stack demo: the stack ends the process when it is loaded"),
    "hard exit": ("import os\nos._exit(0)\n", "the head: the process that reads it ended without an answer"),
    "garbage": (
        "import atexit, sys\natexit.register(lambda: open(sys.argv[1], 'w').write('[1]'))\n" + STACK,
        "the head: the process that reads it ended without an answer",
    ),
    "another answer": (
        'import atexit, sys\nother = \'{"stacks": {"demo": {"form": 1}}}\'\n'
        "atexit.register(lambda: open(sys.argv[1], 'w').write(other))\n" + STACK,
        "the head: what the process that reads it answered is no stack",
    ),
    "no owners": (STACK.replace("owners.yaml", "nobody.yaml"), "the head: stack demo: owners file"),
    "a rule that fails": (
        STACK.replace('"acme/prod",', '"acme/prod", rules=[lambda stack: 1 / 0],'),
        "the head: stack demo: ZeroDivisionError when it is checked",
    ),
    "a mistake": (STACK.replace('["read"]', '["delete"]'), "M2MClient 'exporter': access: 'api' does not offer delete"),
}


@pytest.mark.parametrize("bad", drawn(BAD_HEADS, 2))
def test_a_head_that_does_not_load_is_one_sentence(repository: Repository, bad: str) -> None:
    text, sentence = BAD_HEADS[bad]
    repository.write("stacks/demo.py", text)
    shown = repository.run("review", "--base", "main")
    assert (shown.code, shown.out) == (1, "")
    assert sentence in shown.err
    assert len(shown.err.splitlines()) == 1
    assert left_over(repository) == []


def test_a_base_that_does_not_load_is_one_sentence(repository: Repository) -> None:
    repository.write("stacks/demo.py", "stack = \n")
    repository.commit("Broken")
    repository.write("stacks/demo.py", STACK)
    shown = repository.run("review", "--base", "main")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == "error: the base (main): stack demo: stacks/demo.py, line 1: SyntaxError: invalid syntax\n"
    assert left_over(repository) == []


@pytest.mark.proof
def test_a_side_that_takes_too_long_is_ended(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_sides, "PATIENCE_SECONDS", 3.0)
    repository.write("stacks/demo.py", "import time\nwhile True:\n    time.sleep(1)\n")
    shown = repository.run("review", "--base", "main")
    assert (shown.code, shown.out) == (1, "")
    assert "the head: it does not load within 3 seconds" in shown.err
    assert left_over(repository) == []


@pytest.mark.parametrize("ref", ["nowhere", "--output=/tmp/x", "", "main\nother", "HEAD:owners.yaml", "@{-9}"])
def test_a_base_that_is_not_there_is_one_sentence(repository: Repository, ref: str) -> None:
    shown = repository.run("review", f"--base={ref}")
    assert (shown.code, shown.out) == (1, "")
    assert "is no commit of the repository" in shown.err
    assert len(shown.err.splitlines()) == 1


def test_a_folder_without_git_is_one_sentence(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shown = repository.run("review", "--base", "main")
    assert shown.code == 1
    assert "is in no git repository" in shown.err


def test_a_stack_that_neither_side_has_is_one_sentence(repository: Repository) -> None:
    assert "there is no stack 'other' on either side" in repository.run("review", "--base", "main", "-s", "other").err
    assert "is not the name of a module" in repository.run("review", "--base", "main", "-s", "../x").err


def test_a_shallow_clone_says_what_to_fetch(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.git("switch", "--quiet", "--create", "mine")
    repository.change('every="90d"', 'every="30d"')
    repository.commit("Mine")
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth=1", "--branch=mine", f"file://{repository.top}", str(clone))
    monkeypatch.chdir(clone)
    missing = repository.run("review", "--base", "origin/main")
    assert missing.code == 1
    assert "this clone is shallow, so first run: git fetch --unshallow origin main" in missing.err
    repository.git("-C", str(clone), "fetch", "--quiet", "--depth=1", "origin", "main:refs/remotes/origin/main")
    repository.git("-C", str(clone), "checkout", "--quiet", "--orphan", "rootless")
    cut = repository.run("review", "--base", "origin/main")
    assert cut.code == 1
    assert "fetch-depth: 0" in cut.err
    repository.git("-C", str(clone), "checkout", "--quiet", "--force", "mine")
    repository.git("-C", str(clone), "fetch", "--quiet", "--unshallow", "origin")
    assert repository.run("review", "--base", "origin/main").code == 0


def test_neither_side_sees_a_credential(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = f"""import json, os, sys
with open({str(tmp_path / "seen")!r}, "a") as file:
    file.write(json.dumps([dict(os.environ), sys.argv]) + chr(10))
"""
    repository.write("stacks/demo.py", look + STACK)
    repository.commit("Curious")
    names = ("KEYCLOAK_ADMIN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "GIT_CONFIG_VALUE_0", "XDG_CONFIG_HOME", "HOME")
    for name in names:
        monkeypatch.setenv(name, SECRET)
    assert repository.run("review", "--base", "main").code == 0
    seen = (tmp_path / "seen").read_text(encoding="utf-8")
    assert len(seen.splitlines()) == 2
    assert SECRET not in seen
    for line in seen.splitlines():
        environment = json.loads(line)[0]
        assert set(names) & set(environment) == {"HOME"}
        assert not Path(environment["HOME"]).exists()


def test_nothing_of_the_repository_runs(repository: Repository, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    hook = repository.top / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n", encoding="utf-8")
    hook.chmod(0o755)
    repository.write(".gitattributes", "*.py filter=evil\n")
    repository.git("config", "filter.evil.clean", "cat")
    repository.git("config", "filter.evil.smudge", f"touch {ran}; cat")
    repository.git("config", "filter.evil.required", "true")
    repository.git("config", "core.fsmonitor", f"touch {ran}")
    repository.git("-c", "core.fsmonitor=false", "add", "--all")
    repository.git("-c", "core.fsmonitor=false", "commit", "--quiet", "-m", "Filtered")
    ran.unlink(missing_ok=True)
    assert repository.run("review", "--base", "main").code == 0
    assert not ran.exists()


def test_what_a_stack_prints_does_not_reach_the_comment(repository: Repository) -> None:
    noise = "import sys\nprint('<b>noise</b>')\nprint('noise', file=sys.stderr)\n"
    repository.write("stacks/demo.py", noise + STACK)
    shown = repository.run("review", "--base", "main")
    assert "noise" not in shown.out + shown.err
    assert shown.out.startswith(MARKER)


ESCAPES = """
import os, subprocess, sys, time
again = "import os, sys, time; open(sys.argv[1], 'a').write(f'{{os.getpid():>9}}' + chr(10)); time.sleep(300)"
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-c", again, {pids!r}])
        os._exit(0)
while not os.path.exists({pids!r}) or os.stat({pids!r}).st_size < {size}:
    time.sleep(0.02)
"""


def gone(pids: Path) -> bool:
    """Say whether every process of a file is gone, once there are any."""
    for pid in pids.read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), 0)
            return False
    return True


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to who asks for them")


@on_linux
def test_what_leaves_its_process_group_is_ended_too(repository: Repository, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    repository.write("stacks/demo.py", ESCAPES.format(pids=str(pids), size=20) + STACK)
    shown = repository.run("review", "--base", "main")
    assert shown.code == 0
    assert len(pids.read_text().split()) == 2
    assert gone(pids)


@on_linux
def test_what_leaves_its_process_group_is_ended_when_it_takes_too_long(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_sides, "PATIENCE_SECONDS", 3.0)
    pids = tmp_path / "pids"
    repository.write("stacks/demo.py", ESCAPES.format(pids=str(pids), size=20) + "while True:\n    time.sleep(1)\n")
    assert "the head: it does not load within 3 seconds" in repository.run("review", "--base", "main").err
    assert gone(pids)
    assert left_over(repository) == []


def can_confine() -> bool:
    """Say whether the kernel can confine a process, asked in one of its own."""
    ask = "import pathlib; from keysteward.host.confinement import confine; here = pathlib.Path.cwd(); "
    return subprocess.run([sys.executable, "-c", f"{ask}exit(not confine(here, here))"], check=False).returncode == 0


@pytest.mark.skipif(not can_confine(), reason="only Linux with Landlock can confine a process")
def test_neither_side_reads_what_is_not_the_projects(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(SECRET, encoding="utf-8")
    (repository.root / "out").symlink_to(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        look = f"""import json, os, pathlib, signal, socket
def tried(what):
    try:
        return str(what())
    except OSError as error:
        return type(error).__name__
def read(path):
    return tried(lambda: len(open(path).read()))
seen = {{
    "a token in a home": read({str(tmp_path / "token")!r}),
    "the same through a link": read("out/token"),
    "the token of a checkout": read(".git/config"),
    "the environment of who started it": read(f"/proc/{{os.getppid()}}/environ"),
    "another folder": tried(lambda: os.listdir({str(tmp_path)!r})),
    "the network": tried(lambda: socket.create_connection(("127.0.0.1", {port}))),
}}
fine = [read("owners.yaml"), read(pathlib.__file__), tried(lambda: os.listdir("."))]
open({str(tmp_path / "seen")!r}, "w").write(json.dumps([seen, fine]))
"""
        repository.write("stacks/demo.py", look + STACK)
        assert repository.run("review", "--base", "main").code == 0
    seen, fine = json.loads((tmp_path / "seen").read_text(encoding="utf-8"))
    network = seen.pop("the network")
    assert set(seen.values()) == {"PermissionError"}, seen
    assert network == "PermissionError" or platform.release() < "6.7"
    assert "PermissionError" not in fine


@on_linux
def test_who_started_a_side_shows_it_neither_memory_nor_environment(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offspring, "_prctl", noted := Noted(offspring._prctl))
    assert repository.run("review", "--base", "main").code == 0
    assert [value for what, value in noted.calls if what == offspring._SET_DUMPABLE] == [0, 1, 0, 1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(repository: Repository, tmp_path: Path, number: signal.Signals) -> None:
    pid = tmp_path / "pid"
    wait = f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)\n"
    repository.write("stacks/demo.py", wait)
    repository.commit("Waits")
    # a shell that starts jobs in the background lets them ignore SIGINT, and what they start too
    heeding = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)"  # whoever runs the tests may ignore it
    )
    start = f"{heeding}; from keysteward.cli.main import app; app()"
    command = [sys.executable, "-c", start, "review", "--base", "main"]
    with subprocess.Popen(command, cwd=repository.root, stderr=subprocess.PIPE, text=True) as running:
        try:
            deadline = time.monotonic() + 60
            while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert len(repository.worktrees()) == 2
            running.send_signal(number)
            _, said = running.communicate(timeout=60)
        finally:
            running.kill()
    told = "interrupted\n" if number is signal.SIGINT else ""
    assert (running.returncode, said) == (128 + number, told)
    assert left_over(repository) == []
    assert gone(pid)


class Noted:
    """A function whose calls are noted."""

    def __init__(self, function: Callable[..., int]) -> None:
        self.function = function
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *words: Any) -> int:  # noqa: ANN401 - whatever the function takes
        self.calls.append(words)
        return self.function(*words)


def of_files(shown: Answer) -> list[tuple[str, str, list[str]]]:
    changes = json.loads(shown.out)["changes"]
    return [(c["sort"], c["risk"], c["approvers"]) for c in changes if c["subject"] == "files"]


def test_a_file_that_jobs_run_is_never_no_change(repository: Repository) -> None:
    repository.write("docs/guide.md", "# Guide\n")
    repository.commit("A guide")
    assert "no credential changes" in repository.run("review", "--base", "main~1").out
    repository.write("hvac.py", "import os\n")
    repository.write(".github/workflows/apply.yml", "on: push\n")
    repository.write("requirements.txt", "keysteward\n")
    (repository.root / "yaml").symlink_to("docs")
    shown = repository.run("review", "--base", "main").out
    assert "no credential changes" not in shown
    assert [(row[0], row[1], row[4]) for row in rows(shown)] == [("**high**", "`files`", "`sec`")] * 3
    for file in ("hvac.py", ".github/workflows/apply.yml", "requirements.txt", "yaml"):
        assert f"{file} (added)" in shown
    assert "docs/guide.md" not in shown
    repository.commit("Plant")
    (repository.root / "hvac.py").unlink()
    assert "hvac.py (removed)" in repository.run("review", "--base", "main").out


def test_a_committed_revocation_is_shown_and_needs_security(repository: Repository) -> None:
    repository.write(".keysteward/revoked/acme/prod/exporter.json", "{}")
    repository.write(".keysteward/other.txt", "")
    assert of_files(repository.run("review", "--base", "main", "--json")) == [("record committed", "high", ["sec"])]
    repository.commit("Records")
    repository.write(".keysteward/stacks.demo.json", "{}")
    assert of_files(repository.run("review", "--base", "main", "--json")) == [("stack card changed", "medium", ["sec"])]


def test_a_head_that_forges_its_answer_does_not_hide_that_it_is_another_program(repository: Repository) -> None:
    forged = f"""
import json, os, subprocess, sys
os.rename("stacks/demo.py", "stacks/evil.txt")
open("stacks/demo.py", "w").write({STACK!r})
asked = {{"now": "2026-12-01T00:00:00+00:00", "stacks": ["demo"], "named": []}}
answer = [sys.executable, "-P", "-m", "keysteward.operations.read_side", sys.argv[1]]
subprocess.run(answer, input=json.dumps(asked).encode())
os.rename("stacks/evil.txt", "stacks/demo.py")
os._exit(0)
"""
    repository.write("stacks/demo.py", forged)
    shown = repository.run("review", "--base", "main", "--json")
    assert shown.code == 0
    assert declared(shown) == [], "what a program tells of itself can be anything"
    assert of_files(shown) == [("Python of stacks", "medium", ["sec"])]


def test_a_stack_that_is_named_is_compared_with_what_it_was_called_before(repository: Repository) -> None:
    repository.git("mv", "stacks/demo.py", "stacks/live.py")
    repository.module = "live"
    repository.change('access={api: ["read"]}', 'access={api: ["read", "write"]}')
    repository.change("security: sec", "security: billing", "owners.yaml")
    for words in ((), ("--stack", "live")):
        shown = declared(repository.run("review", "--base", "main", "--json", *words))
        assert [(c["sort"], c["approvers"]) for c in shown] == [
            ("scopes added", ["billing"]),
            ("approver changed", ["sec"]),
            ("stack's module renamed", ["sec"]),
        ]


NASTY = (
    "<img src=x onerror=alert(1)> @acme/security [x](https://evil.example) ![](https://evil.example/p) | `a` \\n/merge"
)


def test_who_writes_a_purpose_or_names_a_holder_formats_nothing(repository: Repository) -> None:
    repository.change(
        MORE, f'client("nasty", consumer="warehouse", purpose="{NASTY}"),\n        ' + KEY.replace("org-1", NASTY)
    )
    repository.commit("Nasty")
    repository.change("onerror=alert(1)", "onerror=alert(2)")
    repository.change("onerror=alert(1)", "onerror=alert(2)")
    shown = repository.run("review", "--base", "main").out
    assert len(rows(shown)) == 3
    assert shown.count("alert(2)") == 2
    shown += repository.run("review", "--base", "main~1").out
    markdown = re.sub(r"`[^`\n]+`", "", shown)
    markdown = re.sub(r"<code>[^<\n]*</code>", "", markdown)
    assert re.findall(r"<(?!br>|sub>|/sub>|!-- keysteward review -->)", markdown) == []
    assert not re.search(r"@\w|\]\(|https?://|!\[", markdown)
    assert [line for line in shown.splitlines() if line.startswith("/")] == []
    assert {len(row) for row in rows(shown)} == {5}


def test_with_read_rights_it_says_what_the_next_run_would_do(repository: Repository) -> None:
    repository.change('access={api: ["read"]}', 'access={api: ["read", "write"]}')
    shown = repository.run("review", "--base", "main", "--live")
    assert shown.code == 0
    told = shown.out.split("#### What the next run would do\n")[1]
    assert "- `exporter`: create; &#35;&#8203;1 create client exporter; issue generation 1" in told
    assert "`api`" not in told
    document = json.loads(repository.run("review", "--base", "main", "--live", "--json").out)
    assert [plan["identity"] for plan in document["live"]["plans"]] == ["acme/prod/exporter"]
    same = repository.run("review", "--base", "HEAD", "--live", "--stack", "demo")
    assert same.code == 0


def many(count: int) -> tuple[Change, ...]:
    made = []
    for number in range(count):
        risk = list(Risk)[number % 3]
        message = f"access: scope-{number} added; " + "it may do more than before " * 8
        made.append(Change(Sort.SCOPES_MORE, risk, f"acme/prod/job-{number:05}", message, "KS016", ("billing",)))
    return tuple(sorted(made, key=lambda change: change.order))


def test_a_comment_is_no_longer_than_a_forge_takes_and_says_what_it_left_out() -> None:
    findings = tuple(Finding(Kind.POLICY, Severity.NOTE, f"acme/prod/job-{n}", "ж" * 200) for n in range(900))
    made = Review(many(900), findings)
    text = review_markdown(Comment(made, "main", "c" * 40, ("acme/prod",)))
    assert len(text.encode()) <= LONGEST_COMMENT
    assert text.startswith(MARKER)
    shown = rows(text)
    assert len(shown) > 100
    assert [row[0] for row in shown] == ["**high**"] * len(shown)
    assert f"**{300 - len(shown)} high, 300 medium, 300 low left out, since a comment is no longer.**" in text
    assert "901 more lines left out" in text
    assert "keysteward review --base main" in text


def test_a_comment_that_fits_leaves_nothing_out() -> None:
    text = review_markdown(Comment(Review(many(90)), "main", "c" * 40, ("acme/prod",)))
    assert "left out" not in text
    assert len(rows(text)) == 90


def test_a_day_until_which_something_wider_stays_valid_is_in_the_json(repository: Repository) -> None:
    repository.change(MORE, KEY.replace('["read"]', '["read", "write"]'))
    repository.commit("A key")
    repository.change('access={api: ["read", "write"]}', 'access={api: ["read"]}')
    (change,) = declared(repository.run("review", "--base", "main", "--json"))
    assert change["sort"] == "scopes removed"
    assert date.fromisoformat(change["until"]) > date(2026, 1, 1)


RULES = """from functools import partial

from stacks import limits
from stacks.helping import old

DAYS = 90


def ours(stack, days=None, more=()):
    return [c for c in stack.credentials if old(c, days or DAYS, limits.MOST)] and []


def made(days):
    def inner(stack):
        return [] if days else ()
    return inner


class Judge:
    def __init__(self, days):
        self.days = days

    def __call__(self, stack):
        return []
"""
OF_RULES = "from stacks.rules import Judge, made, ours, partial"


def with_rules(repository: Repository, rules: str) -> None:
    repository.write("stacks/rules.py", RULES)
    repository.write("stacks/helping.py", "def old(credential, days, most):\n    return days > most\n")
    repository.write("stacks/limits.py", "from stacks import more\n\nMOST = more.MOST\n")
    repository.write("stacks/more.py", "MOST = 5\n")
    repository.change("from datetime import date", f"from datetime import date\n{OF_RULES}")
    repository.change('owners="owners.yaml",', f'owners="owners.yaml", rules=[{rules}],')
    repository.commit("Rules")


def rules_told(repository: Repository) -> list[tuple[str, list[str]]]:
    shown = declared(repository.run("review", "--base", "main", "--json"))
    return [(change["subject"], change["approvers"]) for change in shown]


EVERYONE = ("Judge", "made.<locals>.inner", "ours", "ours'")
"""The rules of one's own in these tests: all rest on what stands in files beside them."""

RESTS_ON = {
    "a constant beside it": ("DAYS = 90", "DAYS = 9000", "stacks/rules.py", EVERYONE),
    "a function of another file": ("days > most", "False", "stacks/helping.py", EVERYONE),
    "a constant of a third file": ("MOST = 5", "MOST = 5000", "stacks/more.py", EVERYONE),
    "an argument": ("days=30", "days=3000", None, ("ours'",)),
    "what made it": ("made(30)", "made(3000)", None, ("made.<locals>.inner",)),
    "what it holds": ("Judge(30)", "Judge(3000)", None, ("Judge",)),
    "what its stack sets": (
        "stack = Stack(",
        "import stacks.rules\nstacks.rules.DAYS = 9000\nstack = Stack(",
        None,
        ("ours",),
    ),
}


@pytest.mark.parametrize("what", sampled(RESTS_ON, ["a function of another file", "what its stack sets"]))
def test_whatever_a_rule_of_ones_own_rests_on_shows_when_it_is_edited(repository: Repository, what: str) -> None:
    old, new, file, rules = RESTS_ON[what]
    with_rules(repository, "ours, partial(ours, days=30), made(30), Judge(30)")
    repository.write("stacks/other.py", "UNUSED = 1\n")
    assert rules_told(repository) == []
    repository.change(old, new, file)
    told = rules_told(repository)
    expected = [(f"acme/prod: rule {name}", ["sec"]) for name in rules]
    assert told == expected if rules == EVERYONE else [each for each in told if each in expected] == expected


def test_a_rule_that_cannot_be_read_counts_as_changed(repository: Repository) -> None:
    with_rules(repository, "partial(ours, more=iter([]))")
    (change,) = declared(repository.run("review", "--base", "main", "--json"))
    assert (change["sort"], change["approvers"]) == ("own rule changed", ["sec"])
    assert change["message"] == "it cannot be read, so that it counts as changed"


def test_one_stack_is_read_as_the_process_reads_it(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "answer.json"
    request = {"now": "2026-12-01T00:00:00+00:00", "stacks": ["demo", "other"], "named": []}
    monkeypatch.setattr(sys, "argv", ["reading", str(file)])
    for name in ("confine", "end_with_parent"):  # this process has other tests to run
        monkeypatch.setattr(read_side, name, lambda *_: None)
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(request)))
    for name in [n for n in sys.modules if n.split(".")[0] == "stacks"]:
        monkeypatch.delitem(sys.modules, name)
    read_side.main()
    told = json.loads(file.read_text(encoding="utf-8"))["stacks"]
    assert told["other"] == {}
    assert told["demo"]["form"]["identity"] == "acme/prod"
    assert repository.root.is_dir()


def test_the_page_lists_every_sort_of_change_with_its_risk_and_rule() -> None:
    page = (DOCS / "review.md").read_text(encoding="utf-8")
    wrong = []
    for sort, weight in WEIGHTS.items():
        risk = str(weight.client) if weight.client is weight.key else f"{weight.client}; key: {weight.key}"
        rule = weight.rule if weight.key_rule in {"", weight.rule} else f"{weight.rule}; key: {weight.key_rule}"
        security = "yes" if weight.security else ""
        if f"| {sort} | {risk} | {rule} | {security} |" not in page:
            wrong.append(f"| {sort} | {risk} | {rule} | {security} |")
    assert wrong == []
