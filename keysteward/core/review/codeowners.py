"""CODEOWNERS: who approves a change of each file that declares credentials, by the owners file. Pure.

A forge asks by file. At GitHub one of those on a line is enough, so that a file with API keys or exceptions is given to
security alone; at GitLab each section asks for its own, so that owners and security both approve. The generated part
stands between two comments; everything else in the file is somebody's and stays.

Its first line gives security whatever no other line names. Jobs run more than declarations (`core.what_runs`), and a
list of what they run today would not name the file that somebody adds tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from keysteward.core.declare.limits import rules_for
from keysteward.core.declare.owners import MAIL, UNASSIGNED, Owners
from keysteward.core.declare.spec import Spec
from keysteward.core.errors import DeclarationError

Forge = Literal["github", "gitlab"]

PLACES: Mapping[Forge, tuple[str, ...]] = {
    "github": (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"),
    "gitlab": ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"),
}
"""Where a forge looks, in its order: the first file that is there counts."""

DEFAULT: Mapping[Forge, str] = {"github": ".github/CODEOWNERS", "gitlab": ".gitlab/CODEOWNERS"}

_PIPELINES: Mapping[Forge, tuple[str, ...]] = {"github": (".github/",), "gitlab": (".gitlab-ci.yml", ".gitlab/")}
"""What a forge runs of a repository, wherever in it the project lies."""

_EVERYTHING = frozenset({"*", "/*", "**", "/**", "**/*", "/**/*", "/"})
"""Patterns that name every file, or every one at the top and in its folders."""

BEGIN = "# keysteward: begin (written by `keysteward codeowners`; what stands up to the end is replaced)"
END = "# keysteward: end"
_BEGINS, _ENDS = re.compile(r"^# keysteward: begin\b"), re.compile(r"^# keysteward: end\b")

_MAIL = re.compile(MAIL)
_PLAIN_PATH = re.compile(r"[\w ./@+,=:~-]+")
"""Paths that mean themselves in a pattern, once their spaces are escaped: no wildcard, range, comment or negation."""


@dataclass(frozen=True, slots=True)
class InFile:
    """One declared credential in a file (by its path in the repository, with / between its parts)."""

    spec: Spec
    path: str
    waived: bool = False

    @property
    def strict(self) -> bool:
        """Say whether security has to approve it: an API key, or what may break a rule."""
        return rules_for(self.spec).security_approves or self.waived


@dataclass(frozen=True, slots=True)
class Listing:
    """What a CODEOWNERS file should say, and what could not be said, one sentence each.

    `guards` says whether somebody is asked for a file that no line names: security, by the first line.
    """

    lines: tuple[str, ...]
    problems: tuple[str, ...] = ()
    guards: bool = True


@dataclass
class _Handles:
    """Names at the forge; whoever has none is told once."""

    owners: Owners
    today: date
    problems: dict[str, None] = field(default_factory=dict)

    def of(self, name: str) -> str | None:
        """Return the handle of an owner, or of who answers for one who is gone."""
        answers = self.owners.deputy_of(name, self.today) if self.owners.find(name) is not None else None
        owner = self.owners.find(answers) if answers is not None else None
        if owner is None:
            if name != UNASSIGNED:
                self.problems[f"owner {name!r} is gone or not in the owners file; security approves in their place"] = (
                    None
                )
            return None
        if owner.forge is not None:
            return owner.forge
        if _MAIL.fullmatch(owner.contact):
            self.problems[f"owner {answers!r} has no forge=; their mail address stands in CODEOWNERS"] = None
            return owner.contact
        self.problems[f"owner {answers!r} has no forge=, and their contact is no mail address; write forge="] = None
        return None

    def security(self) -> str | None:
        """Return the handle of security."""
        if self.owners.security is None:
            self.problems["the owners file does not say who security is; write security= with the name of a team"] = (
                None
            )
            return None
        return self.of(self.owners.security)


def listing(
    held: Iterable[InFile], project: str, folders: Sequence[str], kept: Sequence[str], owners: Owners, today: date
) -> dict[Forge, Listing]:
    """Return what stands between the two comments, for each forge.

    `project` is the project's folder in the repository ("": the repository is the project): whatever is in there, and
    the forge's pipelines, are security's unless another line names them. `folders` are those of declarations: what is
    new in there is security's until it is listed. `kept` are files that say who approves: the owners file, and the
    CODEOWNERS file itself.
    """
    handles = _Handles(owners, today)
    security = handles.security()
    files = _files(held, handles)
    guarded = sorted({_nameable(path, handles) for path in kept}) if security else []
    general = [_nameable(f"{folder}/", handles) for folder in folders] if security else []
    default = _nameable(f"{project}/", handles) if project else "*"
    asked = {path: _union(names, security) for path, (names, _) in files.items()}
    strict = {*(path for path, (_, strict) in files.items() if strict and security), *guarded}
    by_default = [_line(path, (security,)) for path in general if path not in {default, *files, *strict}]
    owned = [_line(path, asked[path]) for path in sorted(files)]
    single = [_line(path, (security,) if path in strict else asked[path]) for path in sorted({*files, *strict})]
    sections = [*by_default, *owned]
    sections += ["[keysteward security]", *(_line(path, (security,)) for path in sorted(strict))] if strict else []

    def made(forge: Forge, head: Sequence[str], rest: Sequence[str]) -> Listing:
        pipelines = _PIPELINES[forge] if project and security else ()
        first = [default, *(path for path in pipelines if path not in files)] if security else []
        lines = [BEGIN, *head, *(_line(path, (security,)) for path in first), *rest, END]
        return Listing(tuple(line for line in lines if line), tuple(handles.problems), guards=security is not None)

    return {
        "github": made("github", [], [*by_default, *single]),
        "gitlab": made("gitlab", ["[keysteward owners]"], sections),
    }


def _files(held: Iterable[InFile], handles: _Handles) -> dict[str, tuple[list[str | None], bool]]:
    """Return for each file, or for the folder of one that no pattern can name, its owners and whether it is strict."""
    files: dict[str, tuple[list[str | None], bool]] = {}
    for one in held:
        path = _nameable(one.path, handles)
        names, strict = files.get(path, ([], False))
        files[path] = ([*names, handles.of(one.spec.owner)], strict or one.strict)
    return files


def _nameable(path: str, handles: _Handles) -> str:
    while not _PLAIN_PATH.fullmatch(path):
        path = path.rpartition("/")[0]
        handles.problems["a file's name has characters that mean something in CODEOWNERS; its folder is listed"] = None
        if not path:
            return "*"
        path = path if path.endswith("/") else f"{path}/"
        if _PLAIN_PATH.fullmatch(path):
            return path
        path = path.rstrip("/")
    return path


def _union(names: Iterable[str | None], security: str | None) -> tuple[str | None, ...]:
    """Return all handles once; security where somebody has none."""
    return tuple(sorted({name or security or "" for name in names}))


def _line(path: str, handles: Iterable[str | None]) -> str:
    named = " ".join(handle for handle in handles if handle)
    pattern = path if path == "*" else "/" + path.lstrip("/").replace(" ", "\\ ")
    return f"{pattern} {named}" if named else ""


def merged(text: str, lines: Sequence[str]) -> str:
    """Put the generated lines into a file's text, in place of the old ones, or at its end.

    Raises DeclarationError where the two comments do not stand there once each, in order.
    """
    before, after = _around(text)
    return "".join([before, *(f"{line}\n" for line in lines), after])


def overruling(text: str) -> tuple[str, ...]:
    """Return the patterns after the generated part: for a file that both name, these count."""
    return _patterns(_around(text)[1])


def overruled(text: str) -> tuple[str, ...]:
    """Return the patterns before the generated part, which at GitHub counts for every file that both name."""
    return _patterns(_around(text)[0])


def names_everything(pattern: str) -> bool:
    """Say whether a pattern names every file."""
    return pattern in _EVERYTHING


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(line.split()[0] for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def _around(text: str) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    begins = [at for at, line in enumerate(lines) if _BEGINS.match(line)]
    ends = [at for at, line in enumerate(lines) if _ENDS.match(line)]
    if not begins and not ends:
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        return text + gap, ""
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        raise DeclarationError(
            f'the lines "{END.replace("end", "begin")}" and "{END}" must stand in the CODEOWNERS file once each, in '
            "this order; remove what is there twice, or both with what is between them"
        )
    return "".join(lines[: begins[0]]), "".join(lines[ends[0] + 1 :])
