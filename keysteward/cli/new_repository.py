"""The files of a new repository, from the templates beside this module. Renders text; writes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import EntryPoint
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

import keysteward
from keysteward.cli.locking import LOCK, NO_HASH, lock
from keysteward.core.contract.introduction import Starter
from keysteward.core.errors import DeclarationError
from keysteward.operations.kinds import OURS, distribution, introduction_of, store_kinds, target_kinds

if TYPE_CHECKING:
    from jinja2 import Environment

Forge = Literal["github", "gitlab"]

_SUFFIX = ".jinja"


_FORGES: Mapping[Forge, tuple[str, ...]] = {
    "github": (
        ".github/dependabot.yml",
        ".github/workflows/keysteward-apply.yml",
        ".github/workflows/keysteward-drift.yml",
        ".github/workflows/keysteward-review.yml",
        ".github/workflows/keysteward-rotate.yml",
    ),
    "gitlab": (".gitlab-ci.yml",),
}
_ALWAYS = (
    ".gitignore",
    "Pulumi.yaml",
    "README.md",
    "__main__.py",
    "owners.yaml",
    "requirements.in",
    "requirements.txt",
    "stacks/__init__.py",
)


OWNERS_FILE: Mapping[Forge, str] = {"github": ".github/CODEOWNERS", "gitlab": ".gitlab/CODEOWNERS"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody wants: "acme", "prod", a kind of target and of store, the forges, and today's date."""

    organisation: str
    environment: str
    target: str
    store: str
    forges: tuple[Forge, ...]
    today: date

    @property
    def identity(self) -> str:
        """Return the identity of the stack."""
        return f"{self.organisation}/{self.environment}"

    @property
    def module(self) -> str:
        """Return the stack's name as a module has it, and as `--stack` takes it."""
        return self.environment.replace("-", "_")


@dataclass(frozen=True, slots=True)
class _Part:
    """A kind of target or store with what a new repository has of it, and the package that brings it."""

    point: EntryPoint
    starter: Starter

    @classmethod
    def of(cls, option: str, word: str, kinds: Mapping[str, EntryPoint]) -> _Part:
        """Find a kind by its word. Raises DeclarationError for one that is not there, or has nothing to begin with."""
        if word not in kinds:
            known = ", ".join(kinds)
            raise DeclarationError(
                f"{option}: {word!r} is no kind that an installed package brings; choose one of {known}"
            )
        starter = introduction_of(word, kinds[word]).starter
        if starter is None:
            raise DeclarationError(f"{option}: {word} brings nothing for a new repository; write the stack by hand")
        return cls(kinds[word], starter)

    @property
    def package(self) -> tuple[str, str] | None:
        """Return name and version of a package that is not ours."""
        found = distribution(self.point)
        return None if found[0] == OURS else found


def files(choice: Choice) -> dict[PurePosixPath, str]:
    """Return the text of each file by its path in the repository, sorted; CODEOWNERS without what a command writes."""
    environment = _templates()
    context = _context(choice, environment)
    context["install"] = environment.get_template(f"part/install{_SUFFIX}").render(context).rstrip()
    templates = {name: name for name in (*_ALWAYS, *(file for forge in choice.forges for file in _FORGES[forge]))}
    templates[f"stacks/{choice.module}.py"] = "stacks/stack.py"
    templates[f"stacks/{choice.module}/credentials.yaml"] = "stacks/credentials.yaml"
    if choice.forges and context["oidc"]:
        templates["ci/login.py"] = "ci/login.py"
    templates |= {OWNERS_FILE[forge]: "CODEOWNERS" for forge in choice.forges}
    return {
        PurePosixPath(path): environment.get_template(templates[path] + _SUFFIX).render(context)
        for path in sorted(templates)
    }


def _templates() -> Environment:
    """Return the templates. Their brackets are square: curly ones are the forges' own."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - no other command needs it

    return Environment(  # noqa: S701 - Python, YAML and Markdown of ours, no HTML; what is filled in is checked before
        loader=PackageLoader("keysteward.cli", "templates/init"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
    )


def _context(choice: Choice, environment: Environment) -> dict[str, object]:
    """Return what the templates name."""
    parts = [
        _Part.of("--target", choice.target, target_kinds()),
        _Part.of("--store", choice.store, store_kinds()),
    ]
    target, store = (part.starter for part in parts)
    others = sorted({part.package for part in parts if part.package is not None})
    extras = sorted({*target.extras, *store.extras})
    seed = int.from_bytes(hashlib.sha256(choice.identity.encode()).digest()[:4], "big")
    context = {
        "organisation": choice.organisation,
        "organisation_host": choice.organisation.replace(".", "-").replace("_", "-").lower(),
        "environment": choice.environment,
        "identity": choice.identity,
        "module": choice.module,
        "target_name": target.called,
        "github": "github" in choice.forges,
        "gitlab": "gitlab" in choice.forges,
        "local": store.one_machine,
        "runner": "[self-hosted, keysteward]" if store.one_machine else "ubuntu-latest",
        "imports": list(_imports(parts)),
        "ledgers": store.ledgers,
        "minute": 5 + seed % 50,
        "version": keysteward.__version__,
        "extras": f"[{','.join(extras)}]" if extras else "",
        "others": [f"{name}=={version}" for name, version in others],
        "lock": lock(extras, others).text,
        "lock_command": LOCK,
        "no_hash": NO_HASH,
        "today": choice.today.isoformat(),
        "in_half_a_year": (choice.today + timedelta(days=170)).isoformat(),
        "in_a_year": (choice.today + timedelta(days=365)).isoformat(),
        **_rights(choice, target, store),
    }
    own = {"target": target.declaration, "store": store.declaration, "example": target.credentials}
    return context | {name: environment.from_string(text).render(context).rstrip("\n") for name, text in own.items()}


def _rights(choice: Choice, target: Starter, store: Starter) -> dict[str, object]:
    """Return what the jobs log in with."""
    aws, vault = (login in {target.login, store.login} for login in ("aws", "vault"))
    reader = (*target.reader, *store.reader)
    both = (*reader, *target.runner, *store.runner)
    role = f"keysteward-{choice.environment}"
    takes_reader = ("`AWS_ROLE_ARN`, a role that may take the reader's and no other",) if aws else ()
    takes_both = ("`AWS_ROLE_ARN`, a role that may take the reader's and the runner's",) if aws else ()
    return {
        "aws": aws,
        "vault": vault,
        "oidc": " and ".join(name for name, wanted in (("Vault", vault), ("AWS", aws)) if wanted),
        "readers": reader,
        "runners": both,
        "vault_read": {"VAULT_READER": f"{role}-reader"},
        "vault_write": {"VAULT_READER": f"{role}-reader", "VAULT_RUNNER": f"{role}-runner"},
        "github_read": [*(f"secret `{name}`" for name in reader), *(f"variable {words}" for words in takes_reader)],
        "github_write": [*(f"secret `{name}`" for name in both), *(f"variable {words}" for words in takes_both)],
        "gitlab_read": [*(f"`{name}`" for name in reader), *takes_reader],
        "gitlab_write": [*(f"`{name}`" for name in both), *takes_both],
    }


def _imports(parts: Iterable[_Part]) -> Iterable[str]:
    """Yield the lines by which a stack imports, each module once and sorted, as linters want them."""
    wanted: dict[str, set[str]] = {"keysteward": {"Stack"}, "keysteward.modules.catalog": {"catalog"}}
    for part in parts:
        wanted.setdefault(part.point.module, set()).update(part.starter.classes)
    for module in sorted(wanted):
        yield f"from {module} import {', '.join(sorted(wanted[module]))}"
