"""Who runs this, and from which commit: as the CI says, else git, else the system. Never fails, makes no call."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from keysteward.core.record.evidence import Author
from keysteward.host.git import revision, user_email
from keysteward.host.json_text import escaped

UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class _Ci:
    """One CI system: the variable that shows it, and those that name who started the job and its commit."""

    name: str
    mark: str
    actors: tuple[str, ...]
    commit: str


SYSTEMS: Final = (
    _Ci("github", "GITHUB_ACTIONS", ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"), "GITHUB_SHA"),
    _Ci("gitlab", "GITLAB_CI", ("GITLAB_USER_LOGIN",), "CI_COMMIT_SHA"),
    _Ci("azure", "TF_BUILD", ("BUILD_REQUESTEDFOREMAIL", "BUILD_REQUESTEDFOR"), "BUILD_SOURCEVERSION"),
    _Ci("bitbucket", "BITBUCKET_BUILD_NUMBER", ("BITBUCKET_STEP_TRIGGERER_UUID",), "BITBUCKET_COMMIT"),
    _Ci("buildkite", "BUILDKITE", ("BUILDKITE_BUILD_CREATOR_EMAIL", "BUILDKITE_BUILD_CREATOR"), "BUILDKITE_COMMIT"),
    _Ci("circleci", "CIRCLECI", ("CIRCLE_USERNAME",), "CIRCLE_SHA1"),
    _Ci("jenkins", "JENKINS_URL", ("BUILD_USER_ID", "CHANGE_AUTHOR"), "GIT_COMMIT"),
)
"""The variables are those of each system's own documentation."""


def author_of(runner: str, door: str, root: Path) -> Author:
    """Return who runs this. `root` is the project's folder; what git says of it is asked once per process.

    In CI the actor is "system:login". The commit is that of the folder, which is what declarations are read from;
    where there is no git, the one that the CI names.
    """
    ci = _ci(os.environ)
    commit, email = _from_git(root.absolute())
    if ci is None:
        return Author(runner, actor=escaped(email or _user()), commit=commit or UNKNOWN, door=door)
    named = next((os.environ[name] for name in ci.actors if os.environ.get(name)), UNKNOWN)
    commit = commit or os.environ.get(ci.commit) or UNKNOWN
    return Author(runner, actor=f"{ci.name}:{escaped(named)}", commit=escaped(commit), door=door)


def _ci(environment: Mapping[str, str]) -> _Ci | None:
    return next((system for system in SYSTEMS if environment.get(system.mark)), None)


@lru_cache(maxsize=8)
def _from_git(root: Path) -> tuple[str | None, str | None]:
    return revision(root), user_email(root)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return UNKNOWN
