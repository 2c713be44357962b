"""Keycloak's admin REST API and token endpoint over HTTP, for one realm and one administrator credential.

Calls and their roles were tried on Keycloak 26.7.5; see `NEEDED_ROLE`.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from keysteward.core.errors import AccessDenied, KeystewardError, NotFound
from keysteward.host.http import HeardClock, Reply, Session
from keysteward.host.references import resolve
from keysteward.host.token_proof import Discovery, KeySet, SigningKeys, TokenReply, unchecked_claims

if TYPE_CHECKING:
    import jwt

TOKEN_MARGIN_SECONDS: Final = 10.0
"""An administrator's token is renewed this long before its end; the default in realm master is 60 seconds."""

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


class KeycloakClient:
    """Calls to one realm. Thread-safe; the administrator's token is shared and renewed under a lock.

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
        self.target = target
        self.realm = realm
        self.who = f"the {purpose} credential ({reference})"
        self._reference = reference
        self._url = url
        self.server = f"{url}/admin"
        self._admin = f"{url}/admin/realms/{quote(realm, safe='')}"
        self._public = f"{url}/realms/{quote(realm, safe='')}"
        self._clock = clock
        self._http = Session(target, ca=ca, clock=clock, sleep=sleep)
        self._lock = threading.Lock()
        self._token: tuple[str, float] | None = None
        self._heard = HeardClock(clock)
        self._issuer: str | None = None
        self._keys = SigningKeys(self._read_keys)

    def now(self) -> datetime | None:
        """Return the target's time as last heard, moved on by our clock; None before the first answer.

        Keycloak itself sends no Date header (26.7.5); then it is the `iat` of the administrator's token, and no later
        than the true time.
        """
        return self._heard.now()

    def admin_roles(self) -> frozenset[str] | None:
        """Return the roles of `realm-management` that the credential has; None when it lives in realm master."""
        if self._credential()[0] != self.realm:
            return None
        access = unchecked_claims(self._admin_token()).get("resource_access")
        management = access.get("realm-management") if isinstance(access, dict) else None
        roles = management.get("roles") if isinstance(management, dict) else None
        return frozenset(map(str, roles)) if isinstance(roles, list) else frozenset()

    def issuer(self) -> str:
        """Return the realm's issuer, from its discovery document; read once."""
        if self._issuer is None:
            path = "/.well-known/openid-configuration"
            reply = self._open("GET", self._public + path, operation="read discovery", repeatable=True)
            self._issuer = self._checked(reply).read(Discovery).issuer
        return self._issuer

    def key(self, kid: str) -> jwt.PyJWK | None:
        """Return the realm's signing key of this `kid`."""
        return self._keys.find(kid)

    def _read_keys(self) -> KeySet:
        url = f"{self._public}/protocol/openid-connect/certs"
        return self._checked(self._open("GET", url, operation="read realm keys", repeatable=True)).read(KeySet)

    def token(
        self, form: Mapping[str, str], *, basic: tuple[str, SecretStr] | None = None, repeatable: bool = True
    ) -> Reply:
        """`POST` to the token endpoint as a client; the reply is returned whatever it says, except 404 and 5xx."""
        headers = {} if basic is None else {"Authorization": _basic(*basic)}
        reply = self._open(
            "POST",
            f"{self._public}/{TOKEN_PATH}",
            operation="ask for a token",
            repeatable=repeatable,
            form=form,
            headers=headers,
        )
        return reply if reply.status in {400, 401, 403} else self._checked(reply)

    def _open(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        repeatable: bool,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Call without the administrator's token."""
        reply = self._http.request(
            method, url, operation=operation, repeatable=repeatable, changes=False, form=form, headers=headers
        )
        self._heard.hear(reply.date)
        return reply

    def call(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        repeatable: bool = True,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,  # noqa: ANN401 - JSON goes out here
        accept: set[int] | frozenset[int] = frozenset(),
        base: str | None = None,
    ) -> Reply:
        """Call with the administrator's token; one that ended early (401: nothing was done) is renewed once."""
        url = (base or self._admin) + path
        token = self._admin_token()
        for last in (False, True):
            reply = self._http.request(
                method,
                url,
                operation=operation,
                repeatable=repeatable,
                params=params,
                json=json,
                headers={"Authorization": f"Bearer {token}"},
            )
            self._heard.hear(reply.date)
            if reply.status != 401 or last:  # noqa: PLR2004
                break
            token = self._admin_token(refused=token)
        if reply.status in accept and not _realm_missing(reply):
            return reply
        return self._checked(reply)

    def _admin_token(self, refused: str | None = None) -> str:
        with self._lock:
            if self._token is not None and self._token[0] != refused and self._clock() < self._token[1]:
                return self._token[0]
            self._token = None
            home, client_id, secret = self._credential()
            reply = self._open(
                "POST",
                f"{self._url}/realms/{quote(home, safe='')}/{TOKEN_PATH}",
                operation="log in",
                repeatable=True,
                form={"grant_type": "client_credentials"},
                headers={"Authorization": _basic(client_id, secret)},
            )
            heard = self._clock()
            if reply.status == GONE:
                raise self.error(NotFound, "log in", f"realm {home} does not exist; correct `realm` or create it")
            if reply.status in {400, 401, 403}:
                text = (
                    f"Keycloak refuses {self.who}: check client_id and secret, that the client is in realm {home}, "
                    "enabled, and has its service account on"
                )
                raise self.error(AccessDenied, "log in", text)
            answer = self._checked(reply).read(TokenReply)
            token, lifetime = answer.access_token, answer.expires_in
            self._token = token, heard - reply.seconds + max(lifetime - TOKEN_MARGIN_SECONDS, lifetime / 2)
            if reply.date is None:
                self._heard.hear(_issued_at(token), heard)
            return token

    def _credential(self) -> tuple[str, str, SecretStr]:
        """Return home realm, client_id and secret. Read anew for each token, so that a new value is picked up."""
        client_id, separator, secret = resolve(self._reference, purpose=self.who).get_secret_value().partition(":")
        home, slash, in_master = client_id.partition("/")
        if not separator or not client_id or not secret:
            text = f"{self.who} must hold client_id:secret, or master/client_id:secret"
            raise self.error(AccessDenied, "log in", text)
        if slash and home == "master":
            return "master", in_master, SecretStr(secret)
        return self.realm, client_id, SecretStr(secret)

    def _checked(self, reply: Reply) -> Reply:
        if reply.ok:
            return reply
        if _realm_missing(reply):
            raise reply.error(f"realm {self.realm} does not exist; correct `realm` or create it")
        if reply.status in {401, 403}:
            role = NEEDED_ROLE.get(reply.operation, "manage-clients")
            raise reply.error(f"{self.who} may not {reply.operation} in realm {self.realm}: {self.grant(role)}")
        if reply.status == GONE:
            raise reply.error(f"{reply.operation}: it does not exist in realm {self.realm} any more; run again")
        raise reply.error(f"{reply.operation}: Keycloak answered {reply.status}{_reason(reply)}")

    def grant(self, role: str) -> str:
        """Say in words how the credential gets a role."""
        return (
            f"give its service account the role {role} of client realm-management "
            f"({self.realm}-realm when it lives in realm master), and let its tokens carry it (full scope, or scope "
            "mappings)"
        )

    def error(self, kind: type[KeystewardError], operation: str, message: str) -> KeystewardError:
        """Return an error with target and operation filled in."""
        return kind(message, target=self.target, operation=operation)


def _basic(client_id: str, secret: SecretStr) -> str:
    """Return the Authorization of RFC 6749, section 2.3.1: both parts are form-encoded first."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret.get_secret_value())}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


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
