"""Tokens: what they may do, how long they live, and who made them."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from keysteward.sandbox.vault import replies
from keysteward.sandbox.vault.policies import DEFAULT_POLICY, Acl

if TYPE_CHECKING:
    from keysteward.sandbox.clock import Clock

ALPHABET = string.ascii_letters + string.digits
DEFAULT_TTL_SECONDS = 32 * 24 * 60 * 60
"""``default_lease_ttl`` of a server that sets none: 768 hours."""


def random_text(length: int = 24) -> str:
    """Return the random part of tokens and accessors."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


@dataclass
class Token:
    """One token. ``expires`` is None for those that never do."""

    policies: list[str]
    created: datetime
    ttl_seconds: int = 0
    expires: datetime | None = None
    id: str = field(default_factory=lambda: f"s.{random_text()}")
    accessor: str = field(default_factory=random_text)
    display_name: str = "token"
    meta: dict[str, str] | None = None
    path: str = "auth/token/create"
    parent: str | None = None
    renewable: bool = True
    uses_left: int = 0
    entity_id: str = ""

    def auth(self) -> dict[str, Any]:
        """Return the ``auth`` block of a login or creation."""
        return {
            "client_token": self.id,
            "accessor": self.accessor,
            "policies": self.policies,
            "token_policies": self.policies,
            "metadata": self.meta,
            "lease_duration": self.ttl_seconds,
            "renewable": self.renewable,
            "entity_id": self.entity_id,
            "token_type": "service",
            "orphan": self.parent is None,
            "num_uses": self.uses_left,
        }

    def describe(self, now: datetime) -> dict[str, Any]:
        """Return what a lookup shows."""
        return {
            "id": self.id,
            "accessor": self.accessor,
            "policies": self.policies,
            "display_name": self.display_name,
            "meta": self.meta,
            "path": self.path,
            "creation_time": int(self.created.timestamp()),
            "creation_ttl": self.ttl_seconds,
            "ttl": int((self.expires - now).total_seconds()) if self.expires else 0,
            "issue_time": replies.timestamp(self.created),
            "expire_time": replies.timestamp(self.expires) or None,
            "explicit_max_ttl": 0,
            "num_uses": self.uses_left,
            "orphan": self.parent is None,
            "renewable": self.renewable,
            "entity_id": self.entity_id,
            "type": "service",
        }


class TokenStore:
    """All tokens of a server, and the policies they name."""

    def __init__(self, clock: Clock, root_token: str) -> None:
        self._clock = clock
        self.policies: dict[str, str] = {"default": DEFAULT_POLICY}
        root = Token(["root"], clock.now(), id=root_token, renewable=False)
        self._tokens = {root_token: root}

    def issue(self, policies: list[str], *, ttl_seconds: int = 0, default_policy: bool = True, **details: Any) -> Token:  # noqa: ANN401
        """Make a token with these policies; ``default`` is added, and root tokens never expire."""
        now = self._clock.now()
        names = sorted({name.lower() for name in policies} | ({"default"} if default_policy else set()))
        if "root" in names:
            token = Token(["root"], now, renewable=False, **details)
        else:
            ttl_seconds = ttl_seconds or DEFAULT_TTL_SECONDS
            token = Token(names, now, ttl_seconds, now + timedelta(seconds=ttl_seconds), **details)
        self._tokens[token.id] = token
        return token

    def live(self, token_id: str | None) -> Token | None:
        """Return the token if it exists and has not expired."""
        token = self._tokens.get(token_id or "")
        if token and token.expires and token.expires <= self._clock.now():
            self.revoke(token)
            return None
        return token

    def by_accessor(self, accessor: str) -> Token | None:
        """Return the live token with this accessor."""
        return next((self.live(token.id) for token in self._tokens.values() if token.accessor == accessor), None)

    def use(self, token: Token) -> None:
        """Count a use of a token that has a limit of uses."""
        if token.uses_left:
            token.uses_left -= 1
            if not token.uses_left:
                self.revoke(token)

    def revoke(self, token: Token) -> None:
        """End a token and those it made."""
        self._tokens.pop(token.id, None)
        for child in [child for child in self._tokens.values() if child.parent == token.id]:
            self.revoke(child)

    def acl(self, token: Token) -> Acl:
        """Return what the token may do, by the policies as they are now."""
        documents = [self.policies[name] for name in token.policies if name in self.policies]
        return Acl.of(documents, root="root" in token.policies)

    def create_child(self, parent: Token, document: dict[str, Any]) -> tuple[Token, list[str]]:
        """Make a token as ``auth/token/create`` does, with its warnings; policies must be a part of the parent's."""
        wanted = document.get("policies") or parent.policies
        is_root = "root" in parent.policies
        if not is_root and not {*wanted, "default"} <= {*parent.policies, "default"}:
            raise replies.bad_request("child policies must be subset of parent")
        name = document.get("display_name")
        token = self.issue(
            wanted,
            ttl_seconds=replies.seconds(document.get("ttl")),
            default_policy=not document.get("no_default_policy"),
            parent=None if document.get("no_parent") else parent.id,
            meta=document.get("meta"),
            display_name=f"token-{name}" if name else "token",
            uses_left=int(document.get("num_uses") or 0),
            **({"id": document["id"]} if document.get("id") else {}),
        )
        if document.get("renewable") is False:
            token.renewable = False
        known = {*self.policies, "root"}
        return token, [f'Policy "{policy}" does not exist' for policy in token.policies if policy not in known]

    def renew(self, token: Token) -> Token:
        """Give a renewable token its whole lifetime again."""
        if not token.renewable or token.expires is None:
            raise replies.bad_request("lease is not renewable")
        token.expires = self._clock.now() + timedelta(seconds=token.ttl_seconds)
        return token

    def found(self, document: dict[str, Any]) -> Token:
        """Return the token a body names by ``token``; 403 when there is none."""
        token = self.live(document.get("token"))
        if token is None:
            raise replies.Refusal(HTTPStatus.FORBIDDEN, "bad token")
        return token
