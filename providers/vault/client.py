"""Speaks HTTP with Vault: one pooled session, log-in, and the one table from Vault's errors to ours."""

from __future__ import annotations

import logging
import os
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote

import requests
from hvac.adapters import RawAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError
from urllib3.util import Retry

from keysteward.core.contract.address import check_address, is_here, leaves_in_clear
from keysteward.core.errors import (
    AccessDenied,
    DeclarationError,
    KeystewardError,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unavailable,
    VersionConflict,
    error_for_status,
)
from keysteward.host.foreign_json import Misshapen, read_json
from keysteward.host.http import LONGEST_PAUSE_SECONDS, Reply, retry_after
from keysteward.host.pool import CALLS_AT_ONCE
from keysteward.host.references import check_reference, resolve, resolve_token
from keysteward.host.transport import LARGEST_ANSWER_BYTES, TooLarge, Transport, causes
from keysteward.providers.vault.models import Described, Health, LoggedIn, Refusal

log = logging.getLogger(__name__)

Auth = Literal["token", "approle", "jwt"]

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
RENEW_SHARE = 0.8
"""A token from a log-in is replaced after this share of its life."""

READS = Retry(total=2, connect=2, read=2, status=0, other=0, redirect=0, backoff_factor=0.1, raise_on_status=False)
"""Reads are repeated when a connection breaks; writes only when nothing was sent."""

SLOWER_SECONDS = (0.2, 0.4)
"""Reads are repeated so often when Vault asks to slow down, after these pauses unless it says how long."""

OPEN = frozenset({HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""A write with one of these answers may have been done."""

_CAS_MISMATCH = "check-and-set parameter did not match"
_NO_MOUNT = "no handler for route"
_LACKS_RIGHT = "1 error occurred"  # a valid token that lacks the right; a bad one gets a bare "permission denied"
_REASON_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a server is and how to log in; no credential."""

    name: str
    url: str
    auth: Auth = "token"
    auth_mount: str | None = None
    role: str | None = None
    namespace: str | None = None
    ca: str | None = None
    allow_http: bool = False

    def __post_init__(self) -> None:
        check_address(self.url, field=f"{self.name}: url", allow_http=self.allow_http)
        if self.auth not in {"token", "approle", "jwt"}:
            raise DeclarationError(f'{self.name}: auth is {self.auth!r}; choose "token", "approle" or "jwt"')
        if self.auth == "jwt" and not self.role:
            raise DeclarationError(f'{self.name}: auth="jwt" needs role=, the role to log in as')

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings that are not at their defaults."""
        plain = {
            "auth": None if self.auth == "token" else self.auth,
            "auth_mount": self.auth_mount,
            "role": self.role,
            "namespace": self.namespace,
            "ca": self.ca,
            "allow_http": self.allow_http,
        }
        return {"name": self.name, "url": self.url, **{name: value for name, value in plain.items() if value}}


class VaultClient:
    """One credential's way to the server: logs in when it is first needed. Threads may share it."""

    def __init__(self, connection: Connection, reference: str, *, field: str) -> None:
        self.connection = connection
        self.reference = check_reference(reference, field=f"{connection.name}: {field}")
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._token: str | None = None
        self._renew_at: float | None = None

    def __repr__(self) -> str:
        return f"VaultClient({self.connection.name!r}, {self.reference!r})"

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Reply:
        """Read. Raises NotFound for what is not there."""
        return self.call("GET", path, "read", params=params)

    def call(
        self,
        method: str,
        path: str,
        capability: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Send one call with our token; `capability` is what its policy must allow, for the error that says so."""
        token = self._current_token()
        try:
            return self._send(method, path, capability, token=token, body=body, params=params)
        except _BadToken as refused:
            if self.connection.auth == "token":
                raise AccessDenied(refused.message) from None
            self._forget(token)
        return self._send(method, path, capability, token=self._current_token(), body=body, params=params)

    def health(self) -> tuple[str, datetime]:
        """Ask `sys/health`, which needs no token; returns version and time of the server. Unavailable when sealed."""
        # health is answered in the root namespace only
        reply = self._send(
            "GET", "sys/health", "read", params={"standbyok": "true", "perfstandbyok": "true"}, namespaced=False
        )
        found = reply.read(Health)
        return found.version, reply.date or datetime.fromtimestamp(found.server_time_utc, UTC)

    def _current_token(self) -> str:
        with self._lock:
            if self._token is None or (self._renew_at is not None and time.monotonic() >= self._renew_at):
                self._token, lifetime = self._log_in()
                self._renew_at = time.monotonic() + lifetime * RENEW_SHARE if lifetime else None
            return self._token

    def _forget(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = None

    def _log_in(self) -> tuple[str, int]:
        connection = self.connection
        if connection.auth == "token":
            return resolve_token(self.reference, purpose=connection.name).get_secret_value(), 0
        value = resolve(self.reference, purpose=connection.name).get_secret_value()
        if connection.auth == "approle":
            role_id, separator, secret_id = value.partition(":")
            if not separator:
                raise AccessDenied(f'{connection.name}: {self.reference} must hold "role_id:secret_id" for approle')
            body = {"role_id": role_id, "secret_id": secret_id}
        else:
            body = {"role": connection.role or "", "jwt": value}
        path = f"auth/{connection.auth_mount or connection.auth}/login"
        failure: KeystewardError
        try:
            auth = self._send("POST", path, "update", body=body).read(LoggedIn).auth
        except (Rejected, AccessDenied, NotFound) as error:
            failure = AccessDenied(
                f"{connection.name}: the {connection.auth} log-in with {self.reference} was refused: "
                "check the credential, the role and that the method is enabled",
                operation=error.operation,
            )
        except OutcomeUnknown as error:
            failure = Unavailable(error.message, operation=error.operation)
        else:
            log.info("store=%s operation=login method=%s outcome=done", connection.name, connection.auth)
            return auth.client_token, auth.lease_duration
        raise failure

    def _send(
        self,
        method: str,
        path: str,
        capability: str,
        *,
        token: str | None = None,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        namespaced: bool = True,
    ) -> Reply:
        adapter = RawAdapter(
            base_uri=self.connection.url,
            token=token,
            session=self._opened(),
            timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
            namespace=self.connection.namespace if namespaced else None,
        )
        headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else None
        reads = method in {"GET", "LIST"}
        send = partial(adapter.request, method, f"/v1/{quote(path)}", raise_exception=False)
        failure: KeystewardError
        try:
            for pause in (*SLOWER_SECONDS, None):
                answer: requests.Response = send(json=body, params=params, headers=headers)
                reply = self._reply(answer, f"{capability} {path}", reads=reads)
                wait = _wait(reply, pause) if reads else None
                if wait is None:
                    break
                time.sleep(wait)
        except (requests.RequestException, HTTPError, ValueError) as error:
            failure = self._broken(error, path, reads=reads)
        else:
            if reply.ok:
                return reply
            failure = self._refused(reply, path, capability)
        raise failure

    def _reply(self, answer: requests.Response, operation: str, *, reads: bool) -> Reply:
        seconds = answer.elapsed.total_seconds()
        return Reply(
            *(self.connection.name, operation, answer.status_code, seconds, answer.headers, answer.content),
            wrote=not reads,
        )

    def _opened(self) -> requests.Session:
        # called with and without the lock; two sessions made at once do no harm
        if self._session is None:
            session = requests.Session()
            # asked once: requests would look at environment and ~/.netrc in every call
            session.trust_env = False
            session.proxies = {} if is_here(self.connection.url) else get_environ_proxies(self.connection.url)
            session.verify = self.connection.ca or os.environ.get("REQUESTS_CA_BUNDLE") or True
            pool = _Pool(pool_connections=2, pool_maxsize=2 * CALLS_AT_ONCE, max_retries=READS)
            pool.allow_http = self.connection.allow_http
            session.mount("https://", pool)
            session.mount("http://", pool)
            self._session = session
        return self._session

    def _refused(self, reply: Reply, path: str, capability: str) -> KeystewardError:
        name, operation = self.connection.name, reply.operation
        refusal = _refusal(reply)
        reasons = "; ".join(refusal.errors or ())
        kind = error_for_status(reply.status)
        if reply.status == HTTPStatus.FORBIDDEN and _LACKS_RIGHT not in reasons:
            return _BadToken(
                f"{name}: the token of {self.reference} is unknown or expired, or may not {capability} {path}: "
                "give a new one",
                operation=operation,
            )
        if kind is AccessDenied:
            return AccessDenied(
                f'{name}: the token of {self.reference} lacks "{capability}" on {path}: grant it in its policy',
                operation=operation,
            )
        if kind is NotFound and not refusal.model_fields_set & {"errors", "data"}:
            return Unavailable(
                f"{name}: {self.connection.url} answers 404 as Vault never does: correct url=, or the proxy before it",
                operation=operation,
            )
        if kind is NotFound and _NO_MOUNT in reasons:
            return NotFound(
                f"{name}: nothing is mounted for {path}: enable a KV version 2 engine there, or correct mount=",
                operation=operation,
            )
        if kind is NotFound:
            return Absent(
                f"{name}: {path} is not there", refusal.data.metadata if refusal.data else None, operation=operation
            )
        if _CAS_MISMATCH in reasons:
            return VersionConflict(f"{name}: {path} was written by another run: read it again", operation=operation)
        if kind is Unavailable:
            return self._unavailable(reply, sealed=bool(refusal.sealed) or "sealed" in reasons)
        reason = " ".join(reasons.split())[:_REASON_CHARACTERS] or "no reason given"
        return kind(f"{name}: Vault refused {operation} ({reason}): fix what it names", operation=operation)

    def _unavailable(self, reply: Reply, *, sealed: bool) -> KeystewardError:
        name, url, operation = self.connection.name, self.connection.url, reply.operation
        if sealed:
            return Unavailable(f"{name}: Vault at {url} is sealed: unseal it, then run again", operation=operation)
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            return Unavailable(f"{name}: Vault at {url} asks to slow down: run again later", operation=operation)
        if reply.wrote and reply.status in OPEN:
            return OutcomeUnknown(
                f"{name}: Vault at {url} failed at {operation}: run again, the run finds out what was done",
                operation=operation,
            )
        return Unavailable(f"{name}: Vault at {url} does not work: look at its log", operation=operation)

    def _broken(self, error: Exception, path: str, *, reads: bool) -> KeystewardError:
        name, url = self.connection.name, self.connection.url
        found = list(causes(error))
        if isinstance(error, _InClear):
            return Unavailable(
                f"{name}: Vault at {url} redirects to http://, where the token would travel in clear: "
                "give the server an api_addr that begins with https://",
                operation=path,
            )
        if isinstance(error, requests.exceptions.SSLError):
            reason = next((c.verify_message for c in found if isinstance(c, ssl.SSLCertVerificationError)), "")
            return Unavailable(
                f"{name}: no TLS with {url} ({reason or 'the handshake failed'}): "
                "renew the server's certificate, or name its CA with ca=",
                operation=path,
            )
        if isinstance(error, ValueError) and not isinstance(error, requests.exceptions.JSONDecodeError):
            reason = type(error).__name__
            return Rejected(f"{name}: no call can be made to {url} ({reason}): correct url=", operation=path)
        unsent = isinstance(error, requests.ConnectTimeout) or any(
            isinstance(cause, NewConnectionError | NameResolutionError) for cause in found
        )
        if not unsent and not reads:
            return OutcomeUnknown(
                f"{name}: no answer to a write of {path}: run again, the run finds out what was done", operation=path
            )
        if isinstance(error, TooLarge):
            most = LARGEST_ANSWER_BYTES >> 20
            text = f"answers with more than {most} MB: correct url=, or the proxy before it"
        else:
            text = f"{'cannot be reached' if unsent else 'does not answer'}: start it, or correct url="
        return Unavailable(f"{name}: Vault at {url} {text}", operation=path)


def _wait(reply: Reply, pause: float | None) -> float | None:
    """Return how long to wait before a reading call is sent again; None when it is not."""
    if pause is None or reply.status != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    told = retry_after(reply)
    wait = pause if told is None else told
    return wait if wait <= LONGEST_PAUSE_SECONDS else None


class _InClear(requests.exceptions.InvalidURL):
    """A redirect that leads out of TLS; it was not followed."""


class _Pool(Transport):
    """Kept-alive connections that carry nothing in clear: a server in standby redirects, token and body included."""

    allow_http = False

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        if not self.allow_http and leaves_in_clear(request.url or ""):
            raise _InClear
        return super().send(request, *args, **kwargs)


class Absent(NotFound):
    """Nothing is at the path; `metadata` is that of the version that was deleted there."""

    def __init__(self, message: str, metadata: Described | None, *, operation: str) -> None:
        super().__init__(message, operation=operation)
        self.metadata = metadata


class _BadToken(AccessDenied):
    """A token that is unknown or expired."""


def _refusal(reply: Reply) -> Refusal:
    """Return what Vault says of a refusal, nothing when it is not Vault that speaks."""
    try:
        return read_json(reply.body, Refusal)
    except Misshapen:
        return Refusal()
