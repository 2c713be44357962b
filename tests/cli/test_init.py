"""A new repository: what is written, that all of it loads and is sound, and that nothing is overwritten."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_project import Project
from issuer import issuing

import keysteward
from keysteward.cli.commands.init import FORGES, _write
from keysteward.cli.locking import lock
from keysteward.cli.new_repository import Choice, files
from keysteward.core.findings import Severity
from keysteward.core.policy.check import check
from keysteward.operations.kinds import store_kinds, target_kinds
from keysteward.operations.loading import load_stack
from keysteward.operations.owners import owners_of

BIN = Path(sys.executable).parent
TODAY = date(2026, 12, 1)
EVERY = sorted(product(target_kinds(), store_kinds()))
WORKFLOWS = ("keysteward-apply", "keysteward-drift", "keysteward-review", "keysteward-rotate")


def made(folder: Path, target: str, store: str, ci: str = "both", environment: str = "prod") -> Path:
    """Write a repository without asking for its CODEOWNERS, which needs a process of its own."""
    _write(folder, files(Choice("acme", environment, target, store, FORGES[ci], TODAY)))
    return folder


def tool(name: str, *words: str | Path, within: Path | None = None) -> str:
    done = subprocess.run(
        [BIN / name, *words], cwd=within, capture_output=True, text=True, check=False, timeout=240
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_what_is_written_and_what_to_do_next(project: Project) -> None:
    answer = project.run("init", "new", "--organisation", "umbrella", "--environment", "prod-eu")
    assert (answer.code, answer.err) == (0, "")
    folder = project.root / "new"
    found = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    written = [path.as_posix() for path in found if not {".keysteward", "__pycache__"} & set(path.parts)]
    assert sorted(written) == sorted(
        [
            ".github/CODEOWNERS", ".github/dependabot.yml", ".gitignore", "Pulumi.yaml", "README.md", "__main__.py",
            "ci/login.py", "owners.yaml", "requirements.in", "requirements.txt", "stacks/__init__.py",
            "stacks/prod_eu.py", "stacks/prod_eu/credentials.yaml",
            *(f".github/workflows/{name}.yml" for name in WORKFLOWS),
        ]
    )  # fmt: skip
    assert [line.strip() for line in answer.out.splitlines() if line.startswith("  ")][: len(written)] == written
    assert answer.out.splitlines()[-9:] == [
        'Fill in what is marked "yours" in owners.yaml, stacks/prod_eu/credentials.yaml, stacks/prod_eu.py; then:',
        "  cd new",
        "  pip-compile --generate-hashes --allow-unsafe --strip-extras requirements.in",
        "                                  # requirements.txt lacks a hash yet: jobs refuse it",
        "  python -Pm venv .venv && .venv/bin/pip install -r requirements.txt",
        "  .venv/bin/keysteward doctor     # says which credentials and rights are missing",
        "  .venv/bin/keysteward preview    # what a first run would make",
        "  .venv/bin/keysteward codeowners # once the owners are yours",
        "README.md says what to set up at the forge.",
    ]
    stack = (folder / "stacks/prod_eu.py").read_text(encoding="utf-8")
    assert '"umbrella/prod-eu"' in stack
    assert 'catalog("stacks/prod_eu", targets=[corp], stores=[secrets])' in stack
    owners = (folder / ".github/CODEOWNERS").read_text(encoding="utf-8").splitlines()
    assert owners[3] == "* @umbrella/team-security", "whatever a pull request adds is run by the jobs"
    assert not [line for line in owners[:3] if line and not line.startswith("#")]
    assert "/stacks/ @umbrella/team-security" in owners
    shown = "\n".join(
        path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.suffix != ".pyc" and path.is_file()
    )
    assert "[[" not in shown.replace("[[tool", "")
    assert "[%" not in shown


def test_a_dry_run_says_the_same_and_writes_nothing(project: Project) -> None:
    before = sorted(project.root.rglob("*"))
    answer = project.run("init", "new", "--ci", "both", "--dry-run")
    assert answer.code == 0
    assert answer.out.startswith(f"Would write to {project.root / 'new'}\n")
    assert "  .gitlab-ci.yml\n" in answer.out
    assert "  .gitlab/CODEOWNERS\n" in answer.out
    assert sorted(project.root.rglob("*")) == before


def test_nothing_that_is_there_is_overwritten(project: Project) -> None:
    folder = project.root / "old"
    (folder / "stacks").mkdir(parents=True)
    (folder / "README.md").write_text("mine", encoding="utf-8")
    (folder / "owners.yaml").symlink_to("/nowhere")
    answer = project.run("init", "old")
    assert answer.code == 1
    assert "nothing was written, since old has README.md, owners.yaml already" in answer.err
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "owners.yaml", "stacks"]
    assert (folder / "README.md").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["stacks", ".github"])
def test_nothing_is_written_through_a_link_or_into_a_file(project: Project, name: str) -> None:
    elsewhere = project.root / "elsewhere"
    elsewhere.mkdir()
    (project.root / "new").mkdir()
    (project.root / "new" / name).symlink_to(elsewhere)
    answer = project.run("init", "new")
    assert answer.code == 1
    assert f"since new has {name} already" in answer.err
    assert list(elsewhere.iterdir()) == []
    (project.root / "file").touch()
    assert "file is no folder" in project.run("init", "file").err


@pytest.mark.parametrize(
    "words",
    [
        ("--environment", "Prod"), ("--environment", "../prod"), ("--environment", "a" * 41), ("--environment", "1st"),
        ("--organisation", 'a"b'), ("--organisation", "${{ x }}"), ("--organisation", ""), ("--target", "okta"),
        ("--store", "s3"), ("--ci", "jenkins"),
    ],
)  # fmt: skip
def test_a_name_that_files_and_pipelines_cannot_hold_is_refused(project: Project, words: tuple[str, str]) -> None:
    answer = project.run("init", "new", *words)
    assert answer.code == 1
    assert not (project.root / "new").exists()


@pytest.mark.parametrize(("target", "store"), EVERY)
def test_every_choice_loads_and_breaks_no_rule(project: Project, target: str, store: str) -> None:
    made(project.root / "new", target, store, environment="prod-eu")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root / "new")
        for name in [name for name in sys.modules if name == "stacks" or name.startswith("stacks.")]:
            patch.delitem(sys.modules, name)
        stack = load_stack("prod_eu")
        found = check(stack, owners_of(stack), datetime(2026, 12, 1, tzinfo=UTC))
        for name in [name for name in sys.modules if name == "stacks" or name.startswith("stacks.")]:
            patch.delitem(sys.modules, name)
    assert stack.identity == "acme/prod-eu"
    assert [c.name for c in stack.credentials] == ["order-reports"]
    assert [f for f in found if f.severity is not Severity.NOTE] == []


@pytest.fixture(scope="module")
def all_of_them(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repositories")
    for target, store in EVERY:
        made(folder / f"{target}-{store}", target, store)
    return folder


def test_their_pulumi_program_is_the_one_of_this_project(all_of_them: Path) -> None:
    ours = (Path(__file__).parents[2] / "__main__.py").read_text(encoding="utf-8")
    assert (all_of_them / "keycloak-vault" / "__main__.py").read_text(encoding="utf-8") == ours


def log_in(script: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, script, *words], env=settings, capture_output=True, text=True, check=False, timeout=60
    )  # fmt: skip


def test_a_job_becomes_itself_at_aws_by_a_file_that_nobody_else_reads(all_of_them: Path, tmp_path: Path) -> None:
    script = all_of_them / "iam-aws" / "ci/login.py"
    with issuing() as issuer:
        variables = tmp_path / "variables"
        done = log_in(script, "aws", GITHUB_OUTPUT=str(variables), RUNNER_TEMP=str(tmp_path), **issuer.environment)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert issuer.asked == ["sts.amazonaws.com"]
        token = issuer.token("sts.amazonaws.com")
    name, _, value = variables.read_text(encoding="utf-8").strip().partition("=")
    assert name == "AWS_WEB_IDENTITY_TOKEN_FILE"
    assert Path(value).read_text(encoding="utf-8") == token
    assert Path(value).stat().st_mode & 0o077 == 0

    done = log_in(script, "aws", AWS_ID_TOKEN="header.claims.sign", TMPDIR=str(tmp_path))
    found = re.fullmatch(r"export AWS_WEB_IDENTITY_TOKEN_FILE=(\S+)\n", done.stdout)
    assert found is not None
    assert Path(found[1]).read_text(encoding="utf-8") == "header.claims.sign"


def test_a_log_in_that_is_refused_or_goes_in_clear_says_so_and_nothing_more(all_of_them: Path) -> None:
    script = all_of_them / "keycloak-vault" / "ci/login.py"
    assert "say `vault NAME=ROLE ...` or `aws`" in log_in(script, "vault").stderr
    for address in (
        "http://vault.example.com",
        "http://127.0.0.1:80@vault.example.com",
        "https://a:b@vault.example.com",
    ):
        clear = log_in(script, "vault", "X=reader", VAULT_ADDR=address, VAULT_ID_TOKEN="a.b.c")
        assert (clear.returncode, clear.stderr) == (1, "login: the address must begin with https://\n")
    with issuing() as issuer:
        issuer.status = 503
        done = log_in(script, "vault", "X=reader", VAULT_ADDR="https://vault.example.com", **issuer.environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"login: 127\.0\.0\.1:\d+ answered 503\n", done.stderr)


def test_their_python_is_clean(all_of_them: Path, tmp_path: Path) -> None:
    settings = ["--isolated", "--line-length", "120", "--target-version", "py311"]
    tool("ruff", "format", "--check", *settings, all_of_them)
    rules = "A,ANN,ARG,B,C4,D,E,F,I,N,PL,PT,PTH,RET,RUF,S,SIM,TRY,UP,W"
    tool("ruff", "check", *settings, "--select", rules, "--ignore", "D203,D213,INP001,PLC0414", all_of_them)
    together = made(tmp_path / "together", "keycloak", "vault")
    for target, store in EVERY:
        name = f"{target}_{store}".replace("-", "_")
        shutil.copy(all_of_them / f"{target}-{store}" / "stacks/prod.py", together / f"stacks/{name}.py")
    tool("mypy", "--strict", "--no-incremental", "stacks", "ci/login.py", "__main__.py", within=together)


def test_their_pipelines_are_what_the_forges_take(all_of_them: Path) -> None:
    validate = ("check-jsonschema", "--color", "never", "--builtin-schema")
    tool(*validate, "vendor.github-workflows", *sorted(all_of_them.glob("*/.github/workflows/*.yml")))
    tool(*validate, "vendor.dependabot", *sorted(all_of_them.glob("*/.github/dependabot.yml")))
    pipelines = sorted(all_of_them.glob("*/.gitlab-ci.yml"))
    tool(*validate, "vendor.gitlab-ci", "--data-transform", "gitlab-ci", *pipelines)


def test_their_workflows_have_no_known_hole(all_of_them: Path) -> None:
    for name in ("keycloak-vault", "iam-aws", "workos-local"):
        tool("zizmor", "--offline", "--no-progress", "--persona=pedantic", "--min-severity=low", all_of_them / name)


def workflows(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.glob("*/.github/workflows/*.yml")):
        yield path.stem, yaml.safe_load(path.read_text(encoding="utf-8"))


def test_rights_are_the_least_and_no_text_from_elsewhere_reaches_a_shell(all_of_them: Path) -> None:
    for name, document in workflows(all_of_them):
        assert document["permissions"] == {}, name
        for job_name, job in document["jobs"].items():
            where = f"{name}: {job_name}"
            steps = job["steps"]
            writes = {right for right, given in job["permissions"].items() if given == "write"} - {"id-token"}
            runs_code = any(step.get("uses", "").startswith("actions/checkout@") for step in steps)
            secrets = "secrets." in str(job)
            assert not (runs_code and writes), f"{where}: code of the repository runs where a token can write"
            assert not (writes and secrets), where
            assert "secrets." not in str(job.get("env", {})), f"{where}: a secret for every step"
            assert job["timeout-minutes"] <= 60
            for step in steps:
                assert "${{" not in step.get("run", ""), where
                assert "${{" not in str(step.get("with", {}).get("script", "")), where
                uses = step.get("uses", "actions/x@" + "0" * 40)
                assert re.fullmatch(r"(actions|github)/[a-z/-]+@[0-9a-f]{40}", uses), f"{where}: {uses}"
                if uses.startswith("actions/checkout@"):
                    assert step["with"]["persist-credentials"] is False
            if name == "keysteward-review":
                assert not secrets
                assert "environment" not in job
                assert "id-token" not in job["permissions"]
            elif runs_code:
                assert job["environment"].startswith("prod")


def test_what_a_job_logs_in_with_reaches_the_steps_that_name_it(all_of_them: Path) -> None:
    for script in all_of_them.glob("*/ci/login.py"):
        assert "GITHUB_ENV" not in script.read_text(encoding="utf-8"), "every later step would see it"
    for name, document in workflows(all_of_them):
        for step in (step for job in document["jobs"].values() for step in job["steps"]):
            names = [key for key, value in step.get("env", {}).items() if "steps." in str(value)]
            assert not names or "keysteward " in step["run"], f"{name}: {step['name']}"


def test_no_job_imports_what_lies_in_the_repository(all_of_them: Path, tmp_path: Path) -> None:
    """`python -m pip` and `python ci/login.py` begin with the working folder, or that of the script, on sys.path."""
    for name, document in workflows(all_of_them):
        assert document["env"]["PYTHONSAFEPATH"] == "1", name
    for path in all_of_them.glob("*/.gitlab-ci.yml"):
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["variables"]["PYTHONSAFEPATH"] == "1"
    folder = shutil.copytree(all_of_them / "iam-aws", tmp_path / "planted")
    for planted in ("pip.py", "json.py", "ci/json.py"):
        (folder / planted).write_text("raise SystemExit('planted')", encoding="utf-8")
    settings = {"PYTHONSAFEPATH": "1", "AWS_ID_TOKEN": "header.claims.sign", "TMPDIR": str(tmp_path)}
    for words in (("-m", "pip", "--version"), ("ci/login.py", "aws")):
        done = subprocess.run(
            [sys.executable, *words], cwd=folder, env=settings, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr


def test_pipelines_at_gitlab_give_what_is_secret_to_environments_alone(all_of_them: Path) -> None:
    for path in sorted(all_of_them.glob("*/.gitlab-ci.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        jobs = {
            name: job
            for name, job in document.items()
            if isinstance(job, dict) and "rules" in job and name != "workflow"
        }
        assert set(jobs) == {"review", "review-note", "plan", "apply", "rotate", "drift", "drift-issue"}
        for name, job in jobs.items():
            assert ("environment" in job) is (name != "review"), name
            if name in {"review-note", "drift-issue"}:
                assert job["variables"]["GIT_STRATEGY"] == "none", "it runs nothing of the repository"
        assert "id_tokens" not in jobs["review"]


def test_where_ledgers_lie_on_one_machine_the_jobs_run_there(all_of_them: Path) -> None:
    for path in all_of_them.glob("*-local/.github/workflows/*.yml"):
        for job_name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
            mine = job["runs-on"] == ["self-hosted", "keysteward"]
            assert mine is (job_name in {"plan", "apply", "rotate", "look"}), job_name


def pinned(text: str) -> dict[str, int]:
    """Return how many hashes each package of a lock has."""
    blocks = re.split(r"(?m)^(?=[A-Za-z])", re.sub(r"(?m)^#.*\n", "", text))
    return {block.partition("==")[0]: block.count("--hash=sha256:") for block in blocks if "==" in block}


def test_what_jobs_install_is_locked_by_hash(all_of_them: Path) -> None:
    own = (Path(__file__).parents[2] / "requirements.txt").read_text(encoding="utf-8")
    for folder in all_of_them.iterdir():
        held = pinned((folder / "requirements.txt").read_text(encoding="utf-8"))
        aws = "[aws]" in (folder / "requirements.in").read_text(encoding="utf-8")
        assert ("boto3" in held, "s3transfer" in held) == (aws, aws)
        assert {"hvac", "pydantic-core", "urllib3", "pulumi", "cffi", "grpcio"} <= set(held)
        assert not {"pytest", "ruff", "moto", "werkzeug"} & set(held), "what only tests need"
        assert [name for name, hashes in held.items() if not hashes] == ["keysteward"], "whose sources these are"
        assert all(hashes == pinned(own)[name] for name, hashes in held.items() if name != "keysteward")


def test_every_job_installs_the_lock_alone(all_of_them: Path) -> None:
    texts = [path.read_text(encoding="utf-8") for path in all_of_them.glob("*/.github/workflows/*.yml")]
    texts += [path.read_text(encoding="utf-8") for path in all_of_them.glob("*/.gitlab-ci.yml")]
    for text in texts:
        for line in (line for line in text.splitlines() if "pip install" in line):
            assert line.strip().endswith("install --quiet --require-hashes --only-binary :all: -r requirements.txt")


def test_a_job_says_which_command_completes_the_lock(all_of_them: Path) -> None:
    document = yaml.safe_load((all_of_them / "keycloak-vault/.github/workflows/keysteward-review.yml").read_text())
    [install] = [step["run"] for step in document["jobs"]["review"]["steps"] if step.get("name") == "Install"]
    done = subprocess.run(
        ["bash", "-e", "-c", install], cwd=all_of_them / "keycloak-vault", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "requirements.txt lacks a hash: run pip-compile --generate-hashes --allow-unsafe --strip-extras "
        "requirements.in (pip-tools), and commit it\n"
    )


def test_a_hash_that_pip_noted_completes_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed:
        requires = ("hvac>=2",)
        noted: str | None = json.dumps({"archive_info": {"hashes": {"sha256": "ab" * 32}}})

        def read_text(self, name: str) -> str | None:
            return self.noted if name == "direct_url.json" else None

    monkeypatch.setattr("importlib.metadata.distribution", lambda _: Installed())
    made = lock()
    assert made.whole
    assert made.text.startswith(f"keysteward=={keysteward.__version__} \\\n    --hash=sha256:{'ab' * 32}\n")
    for damaged in (None, "{", "[]", '{"archive_info": {"hashes": {"sha256": "x\\n--index-url y"}}}'):
        Installed.noted = damaged
        assert not lock().whole
