"""The log-in with a JWT of another issuer, such as a CI system's. The real servers have more ways to a token.

Source: Vault and OpenBao API documentation, "JWT/OIDC auth method"; messages as seen on OpenBao 2.5.5.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import jwt

from keysteward.sandbox.vault import replies

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from keysteward.sandbox.clock import Clock
    from keysteward.sandbox.vault.tokens import TokenStore

EXPIRATION_LEEWAY_SECONDS = 150
"""Leeway on ``exp`` of a JWT when the role sets none."""
DURATIONS = frozenset({"token_ttl", "token_max_ttl", "token_period", "token_explicit_max_ttl"})


def _settings(present: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    return present | {name: replies.seconds(value) if name in DURATIONS else value for name, value in sent.items()}


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
