"""The files of a new repository, from the templates beside this module. Renders text; writes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

import keysteward
from keysteward.cli.locking import LOCK, NO_HASH, lock

if TYPE_CHECKING:
    from jinja2 import Environment

Forge = Literal["github", "gitlab"]
TargetKind = Literal["keycloak", "workos", "iam", "cognito", "api-gateway", "manual"]
StoreKind = Literal["vault", "local", "aws"]

_SUFFIX = ".jinja"


@dataclass(frozen=True, slots=True)
class _Part:
    """A target or store: what a stack imports, what it is called there, and the secrets of reader and runner.

    In `aws` a role is taken by the job's own identity, so that the forge holds no credential for it.
    """

    module: str
    classes: tuple[str, ...]
    name: str = ""
    reader: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()
    aws: bool = False


TARGETS: Mapping[TargetKind, _Part] = {
    "keycloak": _Part("keycloak", ("Keycloak",), "corp", ("KEYCLOAK_READER",), ("KEYCLOAK_ADMIN",)),
    "workos": _Part("workos", ("WorkOS",), "customers", ("WORKOS_READER",), ("WORKOS_ADMIN",)),
    "iam": _Part("aws", ("Iam",), "accounts", aws=True),
    "cognito": _Part("aws", ("Cognito",), "machines", aws=True),
    "api-gateway": _Part("aws", ("ApiGateway",), "gateway", aws=True),
    "manual": _Part("manual", ("Manual", "Probe"), "crm"),
}
STORES: Mapping[StoreKind, _Part] = {
    "vault": _Part("vault", ("Vault",)),
    "local": _Part("local", ("LocalStore",)),
    "aws": _Part("aws", ("SecretsManager",), aws=True),
}
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
    target: TargetKind
    store: StoreKind
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


def files(choice: Choice) -> dict[PurePosixPath, str]:
    """Return the text of each file by its path in the repository, sorted; CODEOWNERS without what a command writes."""
    environment = _templates()
    context = _context(choice)
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


def _context(choice: Choice) -> dict[str, object]:
    """Return what the templates name."""
    target, store = TARGETS[choice.target], STORES[choice.store]
    seed = int.from_bytes(hashlib.sha256(choice.identity.encode()).digest()[:4], "big")
    return {
        "organisation": choice.organisation,
        "organisation_host": choice.organisation.replace(".", "-").replace("_", "-").lower(),
        "environment": choice.environment,
        "identity": choice.identity,
        "module": choice.module,
        "target": choice.target,
        "target_name": target.name,
        "store": choice.store,
        "github": "github" in choice.forges,
        "gitlab": "gitlab" in choice.forges,
        "local": choice.store == "local",
        "runner": "[self-hosted, keysteward]" if choice.store == "local" else "ubuntu-latest",
        "imports": list(_imports([target, store])),
        "ledgers": {"local": "secrets.ledgers()"}.get(choice.store, 'secrets.ledgers("keysteward")'),
        "minute": 5 + seed % 50,
        "version": keysteward.__version__,
        "lock": lock(["aws"] if target.aws or store.aws else []).text,
        "lock_command": LOCK,
        "no_hash": NO_HASH,
        "today": choice.today.isoformat(),
        "in_half_a_year": (choice.today + timedelta(days=170)).isoformat(),
        "in_a_year": (choice.today + timedelta(days=365)).isoformat(),
        **_rights(choice, target, store),
    }


def _rights(choice: Choice, target: _Part, store: _Part) -> dict[str, object]:
    """Return what the jobs log in with."""
    aws, vault = target.aws or store.aws, choice.store == "vault"
    reader, both = target.reader, (*target.reader, *target.runner)
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
        wanted.setdefault(f"keysteward.providers.{part.module}", set()).update(part.classes)
    for module in sorted(wanted):
        yield f"from {module} import {', '.join(sorted(wanted[module]))}"
