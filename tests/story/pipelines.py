"""Runs the jobs of a repository as its forge would: each in a clone of its own, with what its environment holds.

Actions are stood in for: the code is there already, artifacts are folders, and scripts for GitHub's API run in node on
an API that lives in a file. The installation is left out, since keysteward is here. Everything else runs as it stands.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

BIN = Path(sys.executable).parent
EXPRESSION = re.compile(r"\$\{\{ *(.+?) *\}\}")
SKIPPED = ("actions/checkout@", "actions/setup-python@", "github/codeql-action/upload-sarif@")

API = """
const fs = require('fs');
const [stateFile, scriptFile, contextFile] = process.argv.slice(2);
const state = JSON.parse(fs.readFileSync(stateFile, 'utf8'));
const BOT = { login: 'github-actions[bot]' };
const issues = {
  listComments: 'comments',
  listForRepo: 'issues',
  createComment: async ({ body }) => { state.comments.push({ id: state.comments.length + 1, user: BOT, body }); },
  updateComment: async (given) => { state.comments.find((c) => c.id === given.comment_id).body = given.body; },
  create: async ({ title, body }) => {
    state.issues.push({ number: state.issues.length + 1, user: BOT, state: 'open', title, body });
  },
  update: async (given) => {
    const issue = state.issues.find((i) => i.number === given.issue_number);
    issue.body = given.body ?? issue.body;
    issue.state = given.state ?? issue.state;
  },
};
const github = {
  rest: { issues },
  paginate: async (what, given) => state[what].filter((item) =>
    (!given.state || item.state === given.state) && (!given.creator || item.user.login === given.creator)),
};
const context = JSON.parse(fs.readFileSync(contextFile, 'utf8'));
const Program = Object.getPrototypeOf(async () => {}).constructor;
new Program('github', 'context', 'require', fs.readFileSync(scriptFile, 'utf8'))(github, context, require)
  .then(() => fs.writeFileSync(stateFile, JSON.stringify(state)))
  .catch((error) => { console.error(error); process.exit(1); });
"""


@dataclass(frozen=True)
class Ran:
    """What a job came to: its exit code, its outputs, what it showed, its folder, and by step the names that it saw."""

    code: int
    outputs: Mapping[str, str]
    said: str
    summary: str
    folder: Path
    saw: Mapping[str, frozenset[str]] = field(default_factory=dict)


def _bare(home: Path) -> dict[str, str]:
    return {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8"}


def _clone(repository: Path, folder: Path, depth: int) -> None:
    """Bring the newest commits here, as many as a job asks for; 0 brings all."""
    shallow = ["--depth", str(depth)] if depth else []
    subprocess.run(["git", "clone", "--quiet", *shallow, repository.as_uri(), folder], check=True, capture_output=True)


@dataclass
class GitHub:
    """A repository at GitHub: environments with their secrets, variables, an issuer of identities, and its API.

    `environments` maps "" (a job without one) and names to secrets. `identity(environment)` returns the variables by
    which a job asks for its token: only those with `id-token: write` get them.
    """

    repository: Path
    work: Path
    environments: Mapping[str, Mapping[str, str]]
    variables: Mapping[str, str]
    identity: Any
    state: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"comments": [], "issues": []})

    def __post_init__(self) -> None:
        self.runs = 0
        self.jobs: list[str] = []

    def run(self, workflow: str) -> dict[str, Ran]:
        """Run a workflow's jobs in order; one whose need failed, or whose condition is false, does not run."""
        self.runs += 1
        document = yaml.safe_load((self.repository / f".github/workflows/{workflow}.yml").read_text(encoding="utf-8"))
        ran: dict[str, Ran] = {}
        for name, job in document["jobs"].items():
            needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            condition = str(job.get("if", ""))
            always = "cancelled()" in condition
            if not always and any(need not in ran or ran[need].code for need in needs):
                continue
            if "due ==" in condition and ran["plan"].outputs["due"] != "true":
                continue
            ran[name] = self._job(f"{self.runs}-{workflow}-{name}", document, job, ran)
        return ran

    def _job(self, name: str, document: dict[str, Any], job: dict[str, Any], ran: Mapping[str, Ran]) -> Ran:
        place = self.work / name
        folder, home = place / "work", place / "home"
        home.mkdir(parents=True)
        checkout = next((s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout@")), None)
        if checkout is not None:
            _clone(self.repository, folder, checkout["with"].get("fetch-depth", 1))
        else:
            folder.mkdir()
        files = {key: place / key for key in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.touch()
        base = _bare(home) | {key: str(file) for key, file in files.items()} | {"RUNNER_TEMP": str(home)}
        if job["permissions"].get("id-token") == "write":
            base |= self.identity(job.get("environment", ""))
        known = _Known(self.environments[job.get("environment", "")], self.variables, ran)
        base |= known.values(document.get("env", {}))
        code, said, outputs, saw = 0, "", known.outputs, {}
        for step in job["steps"]:
            if code and "cancelled()" not in str(step.get("if", "")):
                continue
            settings = base | _pairs(files["GITHUB_ENV"]) | known.values(step.get("env", {}))
            saw[step.get("name", step.get("uses", ""))] = frozenset(settings)
            files["GITHUB_OUTPUT"].write_text("")
            done = self._step(step, folder, place, settings)
            said += done.stdout + done.stderr
            code = code or done.returncode
            if "id" in step:
                outputs[step["id"]] = _pairs(files["GITHUB_OUTPUT"])
        told = {key: _told(value, outputs) for key, value in job.get("outputs", {}).items()}
        return Ran(code, told, said, files["GITHUB_STEP_SUMMARY"].read_text(), folder, saw)

    def _step(
        self, step: dict[str, Any], folder: Path, place: Path, settings: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        uses, given = step.get("uses", ""), step.get("with", {})
        if uses.startswith(SKIPPED) or step.get("name") == "Install":
            return subprocess.CompletedProcess([], 0, "", "")
        if uses.startswith("actions/upload-artifact@"):
            kept = self.work / "artifacts" / given["name"]
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir(parents=True)
            for name in given["path"].split():
                shutil.copy(folder / name, kept / name)
            return subprocess.CompletedProcess([], 0, "", "")
        if uses.startswith("actions/download-artifact@"):
            shutil.copytree(self.work / "artifacts" / given["name"], folder, dirs_exist_ok=True)
            return subprocess.CompletedProcess([], 0, "", "")
        if uses.startswith("actions/github-script@"):
            return self._script(given["script"], folder, place, settings)
        assert not uses, uses
        assert "${{" not in step["run"], "text from elsewhere in a shell"
        script = place / "step.sh"
        script.write_text(step["run"])
        return _started(["bash", "-e", str(script)], folder, settings)

    def _script(
        self, script: str, folder: Path, place: Path, settings: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        texts = {
            "api.js": API,
            "script.js": script,
            "state.json": json.dumps(self.state),
            "context.json": json.dumps(
                {"repo": {"owner": "acme", "repo": "credentials"}, "payload": {"pull_request": {"number": 7}}}
            ),
        }
        for name, text in texts.items():
            (place / name).write_text(text, encoding="utf-8")
        paths = [str(place / name) for name in ("api.js", "state.json", "script.js", "context.json")]
        done = _started(["node", *paths], folder, settings)
        self.state = json.loads((place / "state.json").read_text(encoding="utf-8"))
        return done


@dataclass(frozen=True)
class _Known:
    """What an expression may name; a name that is not here is a mistake in a workflow."""

    secrets: Mapping[str, str]
    variables: Mapping[str, str]
    ran: Mapping[str, Ran]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    def values(self, given: Mapping[str, Any]) -> dict[str, str]:
        return {name: EXPRESSION.sub(lambda found: self._value(found[1]), str(text)) for name, text in given.items()}

    def _value(self, expression: str) -> str:
        kind, _, name = expression.partition(".")
        if kind == "secrets":
            return self.secrets.get(name, "")
        if kind == "vars":
            return self.variables.get(name, "")
        job, _, output = name.partition(".outputs.")
        if kind == "steps":
            return self.outputs[job][output]
        assert kind == "needs", expression
        return self.ran[job].outputs[output]


def _told(value: str, outputs: Mapping[str, Mapping[str, str]]) -> str:
    found = EXPRESSION.fullmatch(value)
    assert found is not None
    _, step, _, name = found[1].split(".")
    return outputs.get(step, {}).get(name, "")


def _pairs(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def _started(command: Sequence[str], folder: Path, settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=settings, capture_output=True, text=True, check=False, timeout=120,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@dataclass
class GitLab:
    """A project at GitLab: variables by environment, identity tokens, and the API for notes and issues."""

    repository: Path
    work: Path
    url: str
    environments: Mapping[str, Mapping[str, str]]
    identity: Any
    items: dict[str, list[dict[str, Any]]]

    def __post_init__(self) -> None:
        text = (self.repository / ".gitlab-ci.yml").read_text(encoding="utf-8")
        self.document = yaml.safe_load(text)
        self.runs = 0

    def run(self, *jobs: str, **settings: str) -> dict[str, Ran]:
        """Run these jobs in order, with artifacts handed on; `settings` are what GitLab says of the pipeline."""
        self.runs += 1
        ran: dict[str, Ran] = {}
        for name in jobs:
            job = self.document[name]
            assert set(job.get("needs", [])) <= set(ran) or name == "apply"
            ran[name] = self._job(name, job, settings)
        return ran

    def _job(self, name: str, job: dict[str, Any], settings: Mapping[str, str]) -> Ran:
        place = self.work / f"{self.runs}-{name}"
        folder, home = place / "work", place / "home"
        home.mkdir(parents=True)
        given = {**self.document["variables"], **job.get("variables", {})}
        if given.get("GIT_STRATEGY") == "none":
            folder.mkdir()
        else:
            _clone(self.repository, folder, int(given.get("GIT_DEPTH", "20")))
        kept = self.work / "artifacts"
        kept.mkdir(exist_ok=True)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        environment = job.get("environment", {}).get("name", "")
        secrets = self.environments[environment]
        base = _bare(home) | {"CI_API_V4_URL": f"{self.url}/api/v4", "CI_PROJECT_ID": "7"} | settings | secrets
        for token, about in job.get("id_tokens", {}).items():
            base[token] = self.identity(environment, _expanded(about["aud"], base))
        base |= {key: _expanded(str(value), base) for key, value in given.items()}
        lines = [*_flat(job.get("before_script", [])), *_flat(job["script"])]
        script = place / "job.sh"
        script.write_text("\n".join(line for line in lines if "pip install" not in line))
        done = _started(["bash", "-eo", "pipefail", str(script)], folder, base)
        for file in job.get("artifacts", {}).get("paths", []):
            if (folder / file).exists():
                shutil.copy(folder / file, kept / file)
        return Ran(done.returncode, {}, done.stdout + done.stderr, "", folder)


def _flat(script: object) -> Iterator[str]:
    for line in script if isinstance(script, list) else [script]:
        if isinstance(line, list):
            yield from _flat(line)
        else:
            yield str(line)


def _expanded(value: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: known.get(found[1], ""), value)


@contextmanager
def gitlab_api(token: str) -> Iterator[tuple[str, dict[str, list[dict[str, Any]]]]]:
    """Serve notes of one merge request, and issues, to whoever has the token; yields its address and what it holds."""
    items: dict[str, list[dict[str, Any]]] = {"notes": [], "issues": []}

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            given = json.loads(self.rfile.read(length) or b"{}")
            parts = urlsplit(self.path)
            words, query = parts.path.strip("/").split("/"), parse_qs(parts.query)
            if self.headers.get("private-token") != token:
                self._send(401, {})
            elif words[-1] == "user":
                self._send(200, {"id": 1})
            else:
                kind = "notes" if "notes" in words else "issues"
                self._send(200, _changed(items[kind], self.command, words[-1], given, query))

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - names that http.server looks for

        def _send(self, status: int, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", items
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _changed(
    items: list[dict[str, Any]], method: str, last: str, given: dict[str, Any], query: Mapping[str, list[str]]
) -> object:
    if method == "GET":
        wanted = query.get("state", [None])[0]
        shown = [item for item in items if wanted is None or item["state"] == wanted]
        return shown if query["page"] == ["1"] else []
    if method == "POST":
        items.append({"id": len(items) + 1, "iid": len(items) + 1, "author": {"id": 1}, "state": "opened", **given})
        return items[-1]
    item = next(item for item in items if str(item["id"]) == last)
    closing = given.pop("state_event", None)
    item.update(given | ({"state": "closed"} if closing == "close" else {}))
    return item
