"""What `keysteward doctor` asks of an environment: do API and AuthKit domain answer, with which clock and rights."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from keysteward.core.contract.ports import Check
from keysteward.core.errors import AccessDenied, KeystewardError
from keysteward.providers.workos.api import Api

if TYPE_CHECKING:
    from keysteward.providers.workos.adapter import WorkOS

SKEW: Final = timedelta(minutes=2)
"""A larger difference of clocks stops retirements; see docs/life-of-a-credential.md."""


def diagnose(api: Api, target: WorkOS) -> Iterator[Check]:
    """Yield one line per question; the first failure that hides the rest ends the list."""
    subject = f"{target.name}: WorkOS"
    try:
        organizations = api.organizations()
        detail = f"the API answers; the environment has {len(organizations.found)} organizations"
        yield Check(subject, ok=True, detail=detail)
        yield from _rights(api, target)
        if target.organization is not None:
            yield _home(target, {found.id for found in organizations.found})
        yield _clock(api, target)
        yield _authkit(api, target)
    except KeystewardError as problem:
        yield Check(subject, ok=False, detail=problem.message)


def _rights(api: Api, target: WorkOS) -> Iterator[Check]:
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


def _home(target: WorkOS, known: set[str]) -> Check:
    there = target.organization in known
    detail = f"{target.organization} exists" if there else f"{target.organization} does not exist; correct it"
    return Check(f"{target.name}: organization", ok=there, detail=detail)


def _clock(api: Api, target: WorkOS) -> Check:
    there = api.client.now()
    off = timedelta() if there is None else abs(there - datetime.now(UTC))
    words = f"clocks differ by {off.total_seconds():.0f} s"
    if off > SKEW:
        words += "; correct one of them, nothing is ended until then"
    return Check(f"{target.name}: clock", ok=off <= SKEW, detail=words)


def _authkit(api: Api, target: WorkOS) -> Check:
    issuer = api.client.metadata().issuer.rstrip("/")
    same = issuer == target.authkit_domain
    detail = "the AuthKit domain issues tokens" if same else f"tokens name the issuer {issuer}; write that domain"
    return Check(f"{target.name}: authkit_domain", ok=same, detail=detail)
