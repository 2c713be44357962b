"""Ways to a token: AppRole (role id and secret id) and JWT (a token of another issuer).

Source: Vault and OpenBao API documentation, "AppRole auth method" and "JWT/OIDC auth method"; messages as seen on
OpenBao 2.5.5.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import jwt

from keysteward.sandbox.vault import replies

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from keysteward.sandbox.clock import Clock
    from keysteward.sandbox.vault.tokens import TokenStore

EXPIRATION_LEEWAY_SECONDS = 150
"""Leeway on ``exp`` of a JWT when the role sets none."""
INVALID_SECRET_ID = "invalid role or secret ID"


@dataclass
class SecretId:
    """One secret id of a role; any number lives at once."""

    value: str
    created: datetime
    ttl_seconds: int
    uses_left: int
    metadata: dict[str, str]
    accessor: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def expires(self) -> datetime | None:
        """When it ends; None for never."""
        return self.created + timedelta(seconds=self.ttl_seconds) if self.ttl_seconds else None

    def describe(self) -> dict[str, Any]:
        """Return what a lookup shows."""
        return {
            "secret_id_accessor": self.accessor,
            "creation_time": replies.timestamp(self.created),
            "expiration_time": replies.timestamp(self.expires) or "0001-01-01T00:00:00Z",
            "last_updated_time": replies.timestamp(self.created),
            "metadata": self.metadata,
            "secret_id_num_uses": self.uses_left,
            "secret_id_ttl": self.ttl_seconds,
            "cidr_list": [],
            "token_bound_cidrs": [],
        }


@dataclass
class Role:
    """A role of AppRole."""

    settings: dict[str, Any]
    role_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    secret_ids: list[SecretId] = field(default_factory=list)
    entity_id: str = field(default_factory=lambda: str(uuid.uuid4()))


ROLE_DEFAULTS: dict[str, Any] = {
    "bind_secret_id": True,
    "local_secret_ids": False,
    "secret_id_bound_cidrs": None,
    "secret_id_num_uses": 0,
    "secret_id_ttl": 0,
    "token_bound_cidrs": [],
    "token_explicit_max_ttl": 0,
    "token_max_ttl": 0,
    "token_no_default_policy": False,
    "token_num_uses": 0,
    "token_period": 0,
    "token_policies": [],
    "token_ttl": 0,
    "token_type": "default",
}
DURATIONS = frozenset({"secret_id_ttl", "token_ttl", "token_max_ttl", "token_period", "token_explicit_max_ttl"})


def _settings(present: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    return present | {name: replies.seconds(value) if name in DURATIONS else value for name, value in sent.items()}


class AppRole:
    """The AppRole auth method at one mount."""

    def __init__(self, mount: str, clock: Clock, tokens: TokenStore) -> None:
        self._mount = mount
        self._clock = clock
        self._tokens = tokens
        self.roles: dict[str, Role] = {}

    def exists(self, path: str) -> bool:
        """Say whether a write to this path updates a role."""
        return path.removeprefix("role/") in self.roles

    def answer(self, operation: str, path: str, document: dict[str, Any]) -> Response:
        """Answer a call below the mount."""
        parts = path.strip("/").split("/")
        match parts:
            case ["login"] if operation in {"create", "update"}:
                return self.login(document)
            case ["role"] if operation == "list":
                return replies.listing(sorted(self.roles))
            case ["role", name]:
                return self._role(operation, name, document)
            case ["role", name, what]:
                return self._below(operation, name, what, document)
            case ["role", name, how, what]:
                return self._about_secret_id(self._found(name, message=True), how, what, document)
        raise replies.unsupported()

    def login(self, document: dict[str, Any]) -> Response:
        """``POST auth/approle/login``."""
        if not document.get("role_id"):
            raise replies.Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "missing role_id")
        found = [(name, role) for name, role in self.roles.items() if role.role_id == document["role_id"]]
        if found and not document.get("secret_id"):
            raise replies.bad_request("missing secret_id")
        if not found:
            raise replies.bad_request(INVALID_SECRET_ID)
        name, role = found[0]
        secret_id = next((item for item in self._live(role) if item.value == document["secret_id"]), None)
        if secret_id is None:
            raise replies.bad_request(INVALID_SECRET_ID)
        if secret_id.uses_left:
            secret_id.uses_left -= 1
            if not secret_id.uses_left:
                role.secret_ids.remove(secret_id)
        token = self._tokens.issue(
            role.settings["token_policies"],
            ttl_seconds=role.settings["token_ttl"] or role.settings["token_period"],
            default_policy=not role.settings["token_no_default_policy"],
            display_name=self._mount,
            path=f"auth/{self._mount}/login",
            meta={"role_name": name, **secret_id.metadata},
            uses_left=role.settings["token_num_uses"],
            entity_id=role.entity_id,
        )
        return replies.reply(None, auth=token.auth())

    def _live(self, role: Role) -> list[SecretId]:
        now = self._clock.now()
        role.secret_ids = [item for item in role.secret_ids if item.expires is None or item.expires > now]
        return role.secret_ids

    def _found(self, name: str, *, message: bool = False) -> Role:
        if name not in self.roles:
            text = [f'role "{name}" does not exist'] if message else []
            raise replies.Refusal(HTTPStatus.NOT_FOUND, *text)
        return self.roles[name]

    def _role(self, operation: str, name: str, document: dict[str, Any]) -> Response:
        if operation == "read":
            return replies.reply(self._found(name).settings)
        if operation == "delete":
            self.roles.pop(name, None)
        elif operation in {"create", "update"}:
            role = self.roles.get(name)
            sent = {key: value for key, value in document.items() if key in ROLE_DEFAULTS}
            settings = _settings(role.settings if role else ROLE_DEFAULTS, sent)
            if role:
                role.settings = settings
            else:
                self.roles[name] = Role(settings)
        else:
            raise replies.unsupported()
        return replies.no_content()

    def _below(self, operation: str, name: str, what: str, document: dict[str, Any]) -> Response:
        writes = operation in {"create", "update"}
        if what == "role-id" and operation == "read":
            return replies.reply({"role_id": self._found(name).role_id})
        role = self._found(name, message=True)
        if what == "role-id" and writes:
            role.role_id = document["role_id"]
            return replies.no_content()
        if what == "secret-id" and operation == "list":
            return replies.listing([item.accessor for item in self._live(role)])
        if what == "secret-id" and writes:
            return self._issue(role, str(uuid.uuid4()), document)
        if what == "custom-secret-id" and writes:
            return self._issue(role, document["secret_id"], document)
        raise replies.unsupported()

    def _issue(self, role: Role, value: str, document: dict[str, Any]) -> Response:
        metadata = document.get("metadata") or "{}"
        if not isinstance(metadata, str):
            reason = "'' expected type 'string', got unconvertible type 'map[string]interface {}'"
            text = f'Field validation failed: error converting input for field "metadata": {reason}'
            raise replies.bad_request(text)
        secret_id = SecretId(
            value,
            self._clock.now(),
            replies.seconds(document.get("ttl")) or role.settings["secret_id_ttl"],
            int(document.get("num_uses") or role.settings["secret_id_num_uses"]),
            json.loads(metadata),
        )
        role.secret_ids.append(secret_id)
        shown = {
            "secret_id": value,
            "secret_id_accessor": secret_id.accessor,
            "secret_id_num_uses": secret_id.uses_left,
            "secret_id_ttl": secret_id.ttl_seconds,
        }
        return replies.reply(shown)

    def _about_secret_id(self, role: Role, how: str, what: str, document: dict[str, Any]) -> Response:
        by_accessor = how == "secret-id-accessor"
        wanted = document.get("secret_id_accessor" if by_accessor else "secret_id")
        found = [item for item in self._live(role) if wanted == (item.accessor if by_accessor else item.value)]
        missing = f'failed to find accessor entry for secret_id_accessor: "{wanted}"'
        if what == "lookup":
            if found:
                return replies.reply(found[0].describe())
            if by_accessor:
                return replies.reply({"error": missing}, status=HTTPStatus.NOT_FOUND)
            return replies.no_content()
        if what == "destroy":
            if found:
                role.secret_ids.remove(found[0])
            elif by_accessor:
                raise replies.Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, f"1 error occurred:\n\t* {missing}\n\n")
            return replies.no_content()
        raise replies.unsupported()


class JwtLogin:
    """The JWT auth method at one mount, with public keys given in its configuration."""

    def __init__(self, mount: str, clock: Clock, tokens: TokenStore) -> None:
        self._mount = mount
        self._clock = clock
        self._tokens = tokens
        self.config: dict[str, Any] = {"jwt_validation_pubkeys": [], "bound_issuer": ""}
        self.roles: dict[str, dict[str, Any]] = {}

    def exists(self, path: str) -> bool:
        """Say whether a write to this path updates a role."""
        return path.removeprefix("role/") in self.roles

    def answer(self, operation: str, path: str, document: dict[str, Any]) -> Response:
        """Answer a call below the mount."""
        writes = operation in {"create", "update"}
        match path.strip("/").split("/"):
            case ["login"] if writes:
                return self.login(document)
            case ["config"] if writes:
                self.config |= document
                return replies.no_content()
            case ["config"] if operation == "read":
                return replies.reply(self.config)
            case ["role"] if operation == "list":
                return replies.listing(sorted(self.roles))
            case ["role", name]:
                return self._role(operation, name, document)
        raise replies.unsupported()

    def _role(self, operation: str, name: str, document: dict[str, Any]) -> Response:
        if operation == "read":
            if name not in self.roles:
                raise replies.not_found()
            return replies.reply(self.roles[name])
        if operation == "delete":
            self.roles.pop(name, None)
        elif operation in {"create", "update"}:
            role = _settings(self.roles.get(name, {"token_policies": [], "token_ttl": 0}), document)
            if not any(role.get(bound) for bound in ("bound_audiences", "bound_claims", "bound_subject")):
                raise replies.bad_request("must have at least one bound constraint when creating/updating a role")
            self.roles[name] = role
        else:
            raise replies.unsupported()
        return replies.no_content()

    def login(self, document: dict[str, Any]) -> Response:
        """``POST auth/jwt/login``."""
        name = document.get("role", "")
        if name not in self.roles:
            raise replies.bad_request(f'role "{name}" could not be found')
        role = self.roles[name]
        claims = self._verified(document.get("jwt", ""))
        self._check(claims, role)
        user_claim = role.get("user_claim", "sub")
        if user_claim not in claims:
            raise replies.bad_request(f'claim "{user_claim}" not found in token')
        token = self._tokens.issue(
            role["token_policies"],
            ttl_seconds=role["token_ttl"],
            display_name=f"{self._mount}-{claims[user_claim]}",
            path=f"auth/{self._mount}/login",
            meta={"role": name},
            entity_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._mount}/{claims[user_claim]}")),
        )
        return replies.reply(None, auth=token.auth())

    def _verified(self, token: str) -> dict[str, Any]:
        options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
        for key in self.config["jwt_validation_pubkeys"]:
            try:
                claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256", "ES256", "EdDSA"], options=options)
            except (jwt.InvalidTokenError, jwt.InvalidKeyError, TypeError):
                continue
            return claims
        reason = "no known key successfully validated the token signature"
        raise replies.bad_request(f"error validating token: error verifying token signature: {reason}")

    def _check(self, claims: dict[str, Any], role: dict[str, Any]) -> None:
        leeway = replies.seconds(role.get("expiration_leeway")) or EXPIRATION_LEEWAY_SECONDS
        issuer = self.config.get("bound_issuer")
        if issuer and claims.get("iss") != issuer:
            raise _invalid_token("invalid issuer (iss) claim")
        if claims.get("exp", 0) + leeway < self._clock.epoch_seconds():
            raise _invalid_token("invalid expiration time (exp) claim: token is expired")
        audience = claims.get("aud") or []
        audiences = set(audience if isinstance(audience, list) else [audience])
        if role.get("bound_audiences") and audiences.isdisjoint(role["bound_audiences"]):
            raise _invalid_token("invalid audience (aud) claim: audience claim does not match any expected audience")
        if role.get("bound_subject") and claims.get("sub") != role["bound_subject"]:
            raise _invalid_token("invalid subject (sub) claim")
        for name, wanted in (role.get("bound_claims") or {}).items():
            if name not in claims:
                raise replies.bad_request(f'error validating claims: claim "{name}" is missing')
            if claims[name] not in (wanted if isinstance(wanted, list) else [wanted]):
                reason = f'claim "{name}" does not match any associated bound claim values'
                raise replies.bad_request(f"error validating claims: {reason}")


def _invalid_token(reason: str) -> replies.Refusal:
    return replies.bad_request(f"error validating token: {reason}")
