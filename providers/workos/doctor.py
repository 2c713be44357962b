"""What `keysteward doctor` asks of an environment: do API and AuthKit domain answer, with which clock and rights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keysteward.core.contract.ports import Check
from keysteward.core.errors import AccessDenied
from keysteward.providers.kit.doctor import clock_check, diagnosed
from keysteward.providers.workos.api import Api


@dataclass(frozen=True, slots=True)
class Declared:
    """What is asked about: the target as it is declared. `reading` says that the reader's key is asked."""

    name: str
    authkit_domain: str
    organization: str | None
    reading: bool
    reader: str | None
    user_keys: bool


def diagnose(api: Api, target: Declared) -> Iterator[Check]:
    """Yield one line per question; the first failure that hides the rest ends the list."""
    subject = f"{target.name}: WorkOS"
    known: set[str] = set()

    def answers() -> Iterator[Check]:
        known.update(found.id for found in api.organizations().entries)
        yield Check(subject, ok=True, detail=f"the API answers; the environment has {len(known)} organizations")

    yield from diagnosed(
        subject,
        (
            answers,
            lambda: _rights(api, target),
            lambda: [_home(target, known)] if target.organization is not None else [],
            lambda: [clock_check(target.name, api.client.now())],
            lambda: [_authkit(api, target)],
        ),
    )


def _rights(api: Api, target: Declared) -> Iterator[Check]:
    role = "reader" if target.reading else "admin"
    subject = f"{target.name}: {role}"
    api.applications()
    api.permissions()
    if target.user_keys:
        api.users()
    yield Check(subject, ok=True, detail="may list organizations, applications and permissions")
    try:
        api.may_write()
    except AccessDenied:
        detail = "may not write, as it should be" if target.reading else "may not delete API keys; give it that right"
        yield Check(subject, ok=target.reading, detail=detail)
        return
    if target.reading:
        detail = "can write: WorkOS has no keys that only read, so keep it as safe as the runner's"
        yield Check(subject, ok=False, detail=detail, warning=True)
        return
    yield Check(subject, ok=True, detail="may write; it reaches everything in the environment, people too")
    if target.reader is None:
        detail = "no reader is declared, so previews use this key; a key of its own can be replaced and revoked alone"
        yield Check(subject, ok=False, detail=detail, warning=True)


def _home(target: Declared, known: set[str]) -> Check:
    there = target.organization in known
    detail = f"{target.organization} exists" if there else f"{target.organization} does not exist; correct it"
    return Check(f"{target.name}: organization", ok=there, detail=detail)


def _authkit(api: Api, target: Declared) -> Check:
    issuer = api.client.metadata().issuer.rstrip("/")
    same = issuer == target.authkit_domain
    detail = "the AuthKit domain issues tokens" if same else f"tokens name the issuer {issuer}; write that domain"
    return Check(f"{target.name}: authkit_domain", ok=same, detail=detail)
