"""Which files of a repository its jobs run, beside declarations: whoever changes one may change everything. Pure.

Paths are those of the repository, with / between their parts; `project` is the folder of the project in it ("": the
repository itself). Declarations, which lie in the project's folder `stacks`, are reviewed by what they declare.
"""

from __future__ import annotations

import re

STACKS = "stacks"
"""The folder of declarations, and the one folder of a project from which commands import."""

PIPELINE = "a pipeline or a setting of the forge"
PACKAGES = "which packages are installed, and from where"
PROGRAM = "a program outside of the folder stacks"
COMPILED = "compiled code, which no review can read"
RECORDS = "what keysteward keeps: stack cards and records of revocations"
PULUMI = "the Pulumi project"
GIT = "how git shows files and where it brings others from"

_AT_THE_TOP = (
    (re.compile(r"\.(github|gitlab|gitea|forgejo|circleci|buildkite)/.+|.*\.gitlab-ci\.ya?ml", re.ASCII), PIPELINE),
    (
        re.compile(r"Jenkinsfile|azure-pipelines.*\.ya?ml|bitbucket-pipelines\.yml|\.travis\.yml|(docs/)?CODEOWNERS"),
        PIPELINE,
    ),
    (re.compile(r"\.gitmodules"), GIT),
)
"""What counts wherever the project lies."""

_IN_THE_PROJECT = (
    (re.compile(r"(.*/)?[^/]+\.(py[cod]|so|egg|whl|zip|pyz|pth)"), COMPILED),
    (re.compile(r"(.*/)?[^/]*(requirements|constraints)[^/]*\.(txt|in)"), PACKAGES),
    (re.compile(r"(.*/)?(requirements|constraints)/.+\.(txt|in)"), PACKAGES),
    (
        re.compile(r"(.*/)?(pyproject\.toml|setup\.cfg|Pipfile|pip\.conf|pip\.ini|uv\.toml|tox\.ini|[^/]+\.lock)"),
        PACKAGES,
    ),
    (re.compile(r"(.*/)?(pyvenv\.cfg|\.python-version|\.tool-versions|\.?mise\.toml)"), PACKAGES),
    (re.compile(r"(.*/)?Pulumi(\.[^/]+)?\.ya?ml"), PULUMI),
    (re.compile(r"\.keysteward/.+"), RECORDS),
    (re.compile(r"(.*/)?\.gitattributes"), GIT),
    (re.compile(r"(.*/)?([^/]+\.(sh|bash|mk)|Makefile|Dockerfile|Containerfile|\.env(rc)?(\.[^/]+)?)"), PROGRAM),
)
_PYTHON = re.compile(r"(.*/)?[^/]+\.pyw?")


def runs_as(path: str, project: str = "") -> str | None:
    """Return in words what a file is to the jobs that run here; None where no job runs it or is steered by it."""
    for pattern, what in _AT_THE_TOP:
        if pattern.fullmatch(path):
            return what
    folder = f"{project.strip('/')}/" if project.strip("/") else ""
    if not path.startswith(folder):
        return None
    inside = path.removeprefix(folder)
    for pattern, what in _IN_THE_PROJECT:
        if pattern.fullmatch(inside):
            return what
    if _PYTHON.fullmatch(inside) and not inside.startswith(f"{STACKS}/"):
        return PROGRAM
    return None
