"""Which files of a repository its jobs run: these are security's, whoever owns the credentials."""

from __future__ import annotations

import pytest

from keysteward.core.what_runs import runs_as


@pytest.mark.parametrize(
    "path",
    [
        "hvac.py", "yaml/__init__.py", "tools/more.py", "sitecustomize.py", "conftest.py", "__main__.py", "ci/login.py",
        "x.pth", "hvac.cpython-312-x86_64-linux-gnu.so", "stacks/__pycache__/prod.cpython-312.pyc", "stacks/fast.so",
        "requirements.txt", "requirements.in", "requirements/prod.txt", "constraints.txt", "pyproject.toml", "uv.lock",
        ".github/workflows/keysteward-apply.yml", ".github/CODEOWNERS", ".gitlab-ci.yml", "ci/more.gitlab-ci.yml",
        ".gitlab/CODEOWNERS", "CODEOWNERS", "Pulumi.yaml", "stacks/Pulumi.prod.yaml", ".keysteward/stacks.prod.json",
        ".keysteward/revoked/a.json", ".gitattributes", ".gitmodules", "Makefile", "ci/run.sh", ".env",
    ],
)  # fmt: skip
def test_what_jobs_run(path: str) -> None:
    assert runs_as(path), path


@pytest.mark.parametrize(
    "path", ["stacks/prod.py", "stacks/prod/credentials.yaml", "owners.yaml", "README.md", "docs/a.md"]
)
def test_what_is_declared_or_read_by_people_alone(path: str) -> None:
    assert runs_as(path) is None


def test_a_project_in_a_folder_runs_what_lies_there_and_the_forges_pipelines() -> None:
    assert runs_as("infra/keys/hvac.py", "infra/keys")
    assert runs_as("infra/keys/requirements.txt", "infra/keys/")
    assert runs_as(".github/workflows/keysteward-apply.yml", "infra/keys")
    assert runs_as("infra/keys/stacks/prod.py", "infra/keys") is None
    assert runs_as("infra/keys-of-others/hvac.py", "infra/keys") is None
    assert runs_as("app/hvac.py", "infra/keys") is None
    assert runs_as("stacks/prod.py", "infra/keys") is None
