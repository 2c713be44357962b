"""A new repository from `keysteward init`: filled in, committed, its pipelines run as they stand, on the sandbox."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from issuer import Issuer, issuing
from pipelines import GitHub, GitLab, Ran, gitlab_api
from typer.testing import CliRunner

from keysteward.cli.main import app
from keysteward.providers.vault.policy import policy
from keysteward.sandbox import Sandbox

READER, RUNNER = "reader-value-4711", "runner-value-4712"
ROOT = {"x-vault-token": "sandbox-root"}
NOTE_TOKEN = "glpat-note-4713"


class Company:
    """A sandbox with administrators, a repository that was filled in and committed, and an issuer of CI identities."""

    def __init__(self, sandbox: Sandbox, issuer: Issuer, work: Path) -> None:
        self.sandbox, self.issuer, self.work = sandbox, issuer, work
        self.repository = work / "repository"
        sandbox.keycloak.add_admin("demo", "keysteward-reader", READER, roles={"view-clients"})
        sandbox.keycloak.add_admin("demo", "keysteward-runner", RUNNER, roles={"manage-clients"})
        self.vault = sandbox.vault.url
        self._vault_roles()
        self._repository()
        reader, runner = f"keysteward-reader:{READER}", f"keysteward-runner:{RUNNER}"
        self.environments = {
            "": {},
            "prod-read": {"KEYCLOAK_READER": reader},
            "prod-rotate": {"KEYCLOAK_READER": reader, "KEYCLOAK_ADMIN": runner},
            "prod": {"KEYCLOAK_READER": reader, "KEYCLOAK_ADMIN": runner},
        }

    def _vault_roles(self) -> None:
        """Set Vault up as the repository's README says: a role for each, bound to the environments that may have it."""
        public = self.issuer.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.call("POST", "sys/auth/jwt", {"type": "jwt"})
        self.call("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public]})
        for name, environments in (
            ("reader", ("prod-read", "prod-rotate", "prod")),
            ("runner", ("prod-rotate", "prod")),
        ):
            self.call("PUT", f"sys/policies/acl/{name}", {"policy": policy(name, delivered="apps/*")})
            role = {
                "role_type": "jwt",
                "user_claim": "sub",
                "bound_audiences": [self.vault],
                "bound_claims": {"sub": [f"repo:acme/credentials:environment:{each}" for each in environments]},
                "token_policies": [name],
            }
            self.call("POST", f"auth/jwt/role/keysteward-prod-{name}", role)

    def call(self, method: str, path: str, document: object = None) -> requests.Response:
        answer = requests.request(method, f"{self.vault}/v1/{path}", json=document, headers=ROOT, timeout=10)
        assert answer.ok or "already" in answer.text, answer.text
        return answer

    def _repository(self) -> None:
        made = CliRunner().invoke(app, ["init", str(self.repository), "--ci", "both"])
        assert (made.exit_code, made.stderr) == (0, "")
        self.edit(
            "stacks/prod.py",
            ("https://id.example.com", self.sandbox.keycloak.url),
            ('realm="prod"', 'realm="demo"'),
            ("https://vault.example.com", self.vault),
        )
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("Begin")

    def edit(self, name: str, *changes: tuple[str, str]) -> None:
        path = self.repository / name
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")

    def git(self, *words: str) -> str:
        author = [
            "-c",
            "user.name=Billing lead",
            "-c",
            "user.email=billing-lead@example.com",
            "-c",
            "commit.gpgsign=false",
        ]
        done = subprocess.run(
            ["git", *author, *words], cwd=self.repository, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip()

    def commit(self, why: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", why)

    def identify(self, environment: str) -> None:
        now = int(time.time())
        sub = f"repo:acme/credentials:environment:{environment}"
        self.issuer.claims |= {"sub": sub, "iat": now, "exp": now + 10**9}

    def delivered(self) -> dict[str, Any]:
        return dict(self.call("GET", "secret/data/apps/order-reports").json()["data"]["data"])

    def stranger(self, name: str) -> None:
        """Make a client as somebody would at the console."""
        self.sandbox.keycloak.add_admin("demo", name, "value-of-a-stranger", roles={"view-clients"})

    def without(self, name: str) -> None:
        clients = self.sandbox.keycloak.realms["demo"].clients
        for key in [key for key, client in clients.items() if client.client_id == name]:
            del clients[key]


@contextmanager
def opened(work: Path) -> Iterator[Company]:
    with Sandbox() as sandbox, issuing() as issuer:
        yield Company(sandbox, issuer, work)


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with opened(tmp_path) as made:
        yield made


@pytest.fixture
def github(company: Company) -> GitHub:
    if shutil.which("node") is None:
        pytest.skip("node is not on PATH: the scripts for GitHub's API need it")

    def identity(environment: str) -> dict[str, str]:
        company.identify(environment)
        return company.issuer.environment

    return GitHub(
        company.repository, company.work / "github", company.environments, {"VAULT_ADDR": company.vault}, identity
    )


@pytest.fixture
def gitlab(company: Company) -> Iterator[GitLab]:
    with gitlab_api(NOTE_TOKEN) as (url, items):
        given = {name: {**secrets, "VAULT_ADDR": company.vault} for name, secrets in company.environments.items()}
        given["keysteward/note"] = {"KEYSTEWARD_NOTE_TOKEN": NOTE_TOKEN}
        given["keysteward/issue"] = {"KEYSTEWARD_ISSUE_TOKEN": NOTE_TOKEN}

        def identity(environment: str, audience: str) -> str:
            company.identify(environment)
            return company.issuer.token(audience)

        yield GitLab(company.repository, company.work / "gitlab", url, given, identity, items)


def fine(ran: dict[str, Ran]) -> dict[str, Ran]:
    for name, job in ran.items():
        assert job.code == 0, f"{name}: {job.said}"
        quiet = "\n".join(line for line in job.said.splitlines() if not line.startswith("::add-mask::"))
        assert not re.search(rf"{READER}|{RUNNER}|{NOTE_TOKEN}|hvs\.|\bs\.[A-Za-z0-9]{{20}}", quiet + job.summary), name
    return ran


def test_the_four_jobs_at_github(company: Company, github: GitHub) -> None:
    # What was merged is planned, approved and carried out; then nothing is due.
    ran = fine(github.run("keysteward-apply"))
    assert "+ order-reports  create client order-reports" in ran["plan"].said
    assert "✓ order-reports" in ran["apply"].said
    assert company.delivered()["generation"] == 1
    for job, step, names in (
        ("plan", "Plan", {"VAULT_READER"}),
        ("apply", "Carry out the plan", {"VAULT_READER", "VAULT_RUNNER"}),
    ):
        with_token = {name: saw & {"VAULT_READER", "VAULT_RUNNER"} for name, saw in ran[job].saw.items()}
        assert {name: saw for name, saw in with_token.items() if saw} == {step: names}, "no other step sees a token"
    assert list(fine(github.run("keysteward-apply"))) == ["plan"], "nothing to approve"

    # A night without trouble opens no issue, and a stranger's with the same marker is not ours.
    github.state["issues"].append(
        {"number": 99, "user": {"login": "mallory"}, "state": "open", "title": "Credential drift: acme/prod",
         "body": "<!-- keysteward drift -->\nall is well"}
    )  # fmt: skip
    ran = fine(github.run("keysteward-drift"))
    assert ran["look"].outputs["code"] == "0", ran["look"].summary
    assert len(github.state["issues"]) == 1

    # Somebody makes a client at the console: one issue, kept up to date, closed when it is gone.
    company.stranger("legacy-etl")
    assert fine(github.run("keysteward-drift"))["look"].outputs["code"] == "2"
    company.stranger("another")
    fine(github.run("keysteward-drift"))
    theirs, ours = github.state["issues"]
    assert (ours["title"], ours["state"]) == ("Credential drift: acme/prod", "open")
    assert "`corp: legacy-etl`" in ours["body"]
    assert "`corp: another`" in ours["body"]

    # A look that cannot see is a failure, and closes nothing.
    kept = github.environments["prod-read"]
    company.environments["prod-read"] = {"KEYCLOAK_READER": "keysteward-reader:wrong"}
    ran = github.run("keysteward-drift")
    assert (ran["look"].outputs["code"], ran["report"].code) == ("1", 1)
    assert github.state["issues"][1]["state"] == "open"
    assert "Could not be read" in github.state["issues"][1]["body"]
    company.environments["prod-read"] = dict(kept)

    company.without("legacy-etl")
    company.without("another")
    fine(github.run("keysteward-drift"))
    assert [issue["state"] for issue in github.state["issues"]] == ["open", "closed"]
    assert theirs["body"].endswith("all is well")

    # Ninety days later the nightly job rotates, and tells whoever waits for its call.
    company.sandbox.clock.advance(timedelta(days=90))
    company.environments["prod-rotate"]["HEARTBEAT_URL"] = f"{company.vault}/v1/sys/health?beat=1"  # type: ignore[index]
    ran = fine(github.run("keysteward-rotate"))
    assert "✓ order-reports  rotate to generation 2" in ran["rotate"].said
    assert company.delivered()["generation"] == 2
    assert len([call for call in company.sandbox.vault.calls if call.query == "beat=1"]) == 1


def test_a_pull_request_at_github_gets_one_comment_from_a_job_that_runs_none_of_it(
    company: Company, github: GitHub
) -> None:
    company.git("checkout", "--quiet", "-b", "wider")
    company.edit(
        "stacks/prod/credentials.yaml",
        ('"orders:read": Read orders', '"orders:read": Read orders\n      "orders:write": Change orders'),
        ('orders-api: ["orders:read"]', 'orders-api: ["orders:read", "orders:write"]'),
    )
    company.commit("Let reports change orders")
    company.git("checkout", "--quiet", "main")
    company.git("merge", "--quiet", "--no-ff", "--no-edit", "wider")

    for _ in range(2):
        ran = fine(github.run("keysteward-review"))
    [comment] = github.state["comments"]
    assert comment["body"].startswith("<!-- keysteward review -->")
    assert "order-reports" in comment["body"]
    assert "orders:write" in comment["body"]
    assert sorted(path.name for path in ran["comment"].folder.iterdir()) == ["review.md"]

    # Code of a pull request finds nothing to steal, and one that does not load is said to be broken.
    company.edit(
        "stacks/prod.py",
        ("stack = Stack(", "import os\nassert not [n for n in os.environ if 'READER' in n]\nstack = Stack("),
    )
    company.commit("Look around")
    fine(github.run("keysteward-review"))
    company.edit("stacks/prod.py", ("stack = Stack(", "raise SystemExit\nstack = Stack("))
    company.commit("Break it")
    ran = github.run("keysteward-review")
    assert ran["review"].code == 1
    assert ran["comment"].code == 0
    assert "There is no review" in github.state["comments"][0]["body"]


def test_the_same_at_gitlab(company: Company, gitlab: GitLab) -> None:
    first = company.git("rev-parse", "HEAD")
    fine(gitlab.run("plan", "apply"))
    assert company.delivered()["generation"] == 1
    ran = fine(gitlab.run("plan", "apply"))
    assert "Nothing is due" in ran["plan"].said

    # The review becomes one note.
    company.edit("stacks/prod/credentials.yaml", ("every: 90d", "every: 120d"))
    company.commit("Rotate less often")
    for _ in range(2):
        ran = fine(gitlab.run("review", "review-note", CI_MERGE_REQUEST_DIFF_BASE_SHA=first, CI_MERGE_REQUEST_IID="3"))
    [note] = gitlab.items["notes"]
    assert note["body"].startswith("<!-- keysteward review -->")
    assert "order-reports" in note["body"]
    assert NOTE_TOKEN not in ran["review"].said

    # The nightly look keeps one issue.
    fine(gitlab.run("drift", "drift-issue"))
    assert gitlab.items["issues"] == []
    company.stranger("legacy-etl")
    for _ in range(2):
        fine(gitlab.run("drift", "drift-issue"))
    [issue] = gitlab.items["issues"]
    assert issue["title"] == "Credential drift: acme/prod"
    assert "`corp: legacy-etl`" in issue["description"]
    company.without("legacy-etl")
    fine(gitlab.run("drift", "drift-issue"))
    assert [i["state"] for i in gitlab.items["issues"]] == ["closed"]

    # And the nightly rotation rotates.
    company.sandbox.clock.advance(timedelta(days=120))
    ran = fine(gitlab.run("rotate"))
    assert "✓ order-reports  rotate to generation 2" in ran["rotate"].said


def test_at_gitlab_the_command_alone_sees_what_it_logged_in_with(gitlab: GitLab) -> None:
    job = gitlab.document["plan"]
    job["script"] = ["logged_in env > seen", "env > beside", *job["script"], "env >> beside"]
    ran = fine(gitlab.run("plan"))
    folder = ran["plan"].folder
    assert re.search(r"(?m)^VAULT_READER=\S+$", (folder / "seen").read_text(encoding="utf-8"))
    assert "VAULT_READER" not in (folder / "beside").read_text(encoding="utf-8")


def test_the_stack_card_of_a_clone_ends_a_leak_when_the_stack_does_not_load(company: Company, github: GitHub) -> None:
    fine(github.run("keysteward-apply"))
    held = {name: company.environments["prod"][name] for name in ("KEYCLOAK_READER", "KEYCLOAK_ADMIN")}
    settings = {**os.environ, **held, "VAULT_READER": "sandbox-root", "VAULT_RUNNER": "sandbox-root"}

    def keysteward(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).parent / "keysteward", *words],
            cwd=folder, env=settings, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    assert keysteward(company.repository, "preview").returncode == 0
    (company.repository / ".keysteward" / "revoked" / "acme").mkdir(parents=True)
    (company.repository / ".keysteward" / "revoked" / "acme" / "x.json").touch()
    company.commit("What a run left behind")
    assert company.git("ls-files", ".keysteward") == ".keysteward/stacks.prod.json"

    clone = company.work / "clone"
    company.git("clone", "--quiet", str(company.repository), str(clone))
    (clone / "stacks/prod.py").write_text("stack = Stack(\n", encoding="utf-8")
    done = keysteward(clone, "revoke", "order-reports", "--all", "--reason", "key in a public repository", "--yes")
    assert done.returncode == 0, done.stderr
    assert "going on from .keysteward/stacks.prod.json" in done.stderr


def test_a_note_carries_out_nothing_that_a_review_says(company: Company, gitlab: GitLab) -> None:
    artifacts = company.work / "gitlab" / "artifacts"
    artifacts.mkdir(parents=True)
    (artifacts / "review.md").write_text("all fine\n/approve\n  /merge\n", encoding="utf-8")
    gitlab.document["review-note"]["needs"] = []
    fine(gitlab.run("review-note", CI_MERGE_REQUEST_IID="3"))
    assert not re.search(r"(?m)^\s*/", gitlab.items["notes"][0]["body"])


def test_a_job_gets_no_token_of_a_role_that_is_not_its_own(company: Company, github: GitHub, gitlab: GitLab) -> None:
    job = gitlab.document["drift"]
    job["before_script"] = [
        line.replace("READER=keysteward-prod-reader", "READER=keysteward-prod-runner") for line in job["before_script"]
    ]
    ran = gitlab.run("drift")
    assert ran["drift"].code == 1
    assert "answered 400" in ran["drift"].said
    assert not (ran["drift"].folder / "drift.md").exists(), "it stops there"

    workflow = company.repository / ".github/workflows/keysteward-drift.yml"
    text = workflow.read_text(encoding="utf-8")
    workflow.write_text(text.replace("VAULT_READER=keysteward-prod-reader", "VAULT_READER=keysteward-prod-runner"))
    ran = github.run("keysteward-drift")
    assert list(ran) == ["look"]
    assert ran["look"].code == 1
    assert f"login: {company.vault.removeprefix('http://')} answered 400" in ran["look"].said
    assert json.dumps(github.state["issues"]) == "[]"
