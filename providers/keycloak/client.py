"""Keycloak's admin REST API and token endpoint over HTTP, for one realm and one administrator credential.

Calls and their roles were tried on Keycloak 26.7.5; see `NEEDED_ROLE`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pydantic import SecretStr

from keysteward.core.errors import AccessDenied, NotFound
from keysteward.host.http import Reply
from keysteward.host.references import resolve
from keysteward.host.token_proof import Discovery, KeySet, SigningKeys, TokenReply, unchecked_claims
from keysteward.providers.kit.client import ApiClient
from keysteward.providers.kit.login import TokenCache, basic

if TYPE_CHECKING:
    import jwt

NEEDED_ROLE: Final = {
    "list clients": "view-clients",
    "read client": "view-clients",
    "list client scopes": "view-clients",
    "read client policies": "view-realm",
    "write client policies": "manage-realm",
    "read server info": "view-clients",
    "see what a client may do": "view-users",
}
"""The role of client `realm-management` that each operation needs; all others need `manage-clients`."""

TOKEN_PATH: Final = "protocol/openid-connect/token"  # noqa: S105 - a path
GONE: Final = 404


class KeycloakClient(ApiClient):
    """Calls to one realm. Thread-safe; all share the administrator's token.

    `reference` points to `client_id:secret` of a service account in the realm, or `master/client_id:secret` of one in
    realm master. `clock` (seconds, monotonic) and `sleep` are inputs, for tests.
    """

    def __init__(
        self,
        target: str,
        *,
        url: str,
        realm: str,
        reference: str,
        purpose: str,
        ca: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        admin = f"{url}/admin/realms/{quote(realm, safe='')}"
        who = f"the {purpose} credential ({reference})"
        super().__init__(target, url=admin, reference=reference, who=who, ca=ca, clock=clock, sleep=sleep)
        self.realm = realm
        self.server = f"{url}/admin"
        self._base = url
        self._public = f"{url}/realms/{quote(realm, safe='')}"
        self._tokens = TokenCache(self._log_in, clock=clock)
        self._issuer: str | None = None
        self._keys = SigningKeys(self._read_keys)

    def authorization(self, refused: str | None = None) -> str:
        """Return the administrator's token, a new one when this one was refused."""
        return f"Bearer {self._tokens.token(refused and refused.removeprefix('Bearer '))}"

    def admin_roles(self) -> frozenset[str] | None:
        """Return the roles of `realm-management` that the credential has; None when it lives in realm master."""
        if self._credential()[0] != self.realm:
            return None
        access = unchecked_claims(self._tokens.token()).get("resource_access")
        management = access.get("realm-management") if isinstance(access, dict) else None
        roles = management.get("roles") if isinstance(management, dict) else None
        return frozenset(map(str, roles)) if isinstance(roles, list) else frozenset()

    def issuer(self) -> str:
        """Return the realm's issuer, from its discovery document; read once."""
        if self._issuer is None:
            url = f"{self._public}/.well-known/openid-configuration"
            self._issuer = self.checked(self.open("GET", url, operation="read discovery")).read(Discovery).issuer
        return self._issuer

    def key(self, kid: str) -> jwt.PyJWK | None:
        """Return the realm's signing key of this `kid`."""
        return self._keys.find(kid)

    def _read_keys(self) -> KeySet:
        url = f"{self._public}/protocol/openid-connect/certs"
        return self.checked(self.open("GET", url, operation="read realm keys")).read(KeySet)

    def token(
        self, form: Mapping[str, str], *, basic_auth: tuple[str, SecretStr] | None = None, repeatable: bool = True
    ) -> Reply:
        """`POST` to the token endpoint as a client; the reply is returned whatever it says, except 404 and 5xx."""
        headers = {} if basic_auth is None else {"Authorization": basic(*basic_auth)}
        url, operation = f"{self._public}/{TOKEN_PATH}", "ask for a token"
        reply = self.open("POST", url, operation=operation, repeatable=repeatable, form=form, headers=headers)
        return reply if reply.status in {400, 401, 403} else self.checked(reply)

    def accepts(self, reply: Reply, statuses: AbstractSet[int]) -> bool:
        """See the base; a realm that is missing is never what was asked for."""
        return not _realm_missing(reply) and super().accepts(reply, statuses)

    def _log_in(self) -> tuple[str, float, float]:
        """Ask for the administrator's token."""
        home, client_id, secret = self._credential()
        reply = self.open(
            "POST",
            f"{self._base}/realms/{quote(home, safe='')}/{TOKEN_PATH}",
            operation="log in",
            form={"grant_type": "client_credentials"},
            headers={"Authorization": basic(client_id, secret)},
        )
        heard = self.clock()
        if reply.status == GONE:
            raise self.error(NotFound, "log in", f"realm {home} does not exist; correct `realm` or create it")
        if reply.status in {400, 401, 403}:
            text = (
                f"Keycloak refuses {self.who}: check client_id and secret, that the client is in realm {home}, "
                "enabled, and has its service account on"
            )
            raise self.error(AccessDenied, "log in", text)
        answer = self.checked(reply).read(TokenReply)
        if reply.date is None:  # Keycloak sends none (26.7.5): the token says when it was made, no later than it is
            self._heard.hear(_issued_at(answer.access_token), heard)
        return answer.access_token, answer.expires_in, heard - reply.seconds

    def _credential(self) -> tuple[str, str, SecretStr]:
        """Return home realm, client_id and secret. Read anew for each token, so that a new value is picked up."""
        client_id, separator, secret = resolve(self.reference, purpose=self.who).get_secret_value().partition(":")
        home, slash, in_master = client_id.partition("/")
        if not separator or not client_id or not secret:
            text = f"{self.who} must hold client_id:secret, or master/client_id:secret"
            raise self.error(AccessDenied, "log in", text)
        if slash and home == "master":
            return "master", in_master, SecretStr(secret)
        return self.realm, client_id, SecretStr(secret)

    def sentence(self, reply: Reply) -> str:
        """Say what a refusal means and what to do next."""
        if _realm_missing(reply):
            return f"realm {self.realm} does not exist; correct `realm` or create it"
        if reply.status in {401, 403}:
            role = NEEDED_ROLE.get(reply.operation, "manage-clients")
            return f"{self.who} may not {reply.operation} in realm {self.realm}: {self.grant(role)}"
        if reply.status == GONE:
            return f"{reply.operation}: it does not exist in realm {self.realm} any more; run again"
        return f"{reply.operation}: Keycloak answered {reply.status}{_reason(reply)}"

    def grant(self, role: str) -> str:
        """Say in words how the credential gets a role."""
        return (
            f"give its service account the role {role} of client realm-management "
            f"({self.realm}-realm when it lives in realm master), and let its tokens carry it (full scope, or scope "
            "mappings)"
        )


def _issued_at(token: str) -> datetime | None:
    """Return the time a token was made, by the server's clock."""
    try:
        return datetime.fromtimestamp(int(unchecked_claims(token)["iat"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def _realm_missing(reply: Reply) -> bool:
    return reply.status == GONE and reply.told("error").rstrip(".") in {"Realm not found", "Realm does not exist"}


def _reason(reply: Reply) -> str:
    """Return Keycloak's reason: one short field of a refusal, never the body, and nothing of a server error."""
    if reply.status >= 500:  # noqa: PLR2004
        return "; see the server's log"
    text = reply.told("errorMessage", "error_description")
    return f": {text}" if text else ""
