"""WorkOS's API and the token endpoint of its AuthKit domain over HTTP, for one environment and one key of it.

Limits and errors are those of the vendor's pages "Rate limits" and "Errors" of the API reference.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar

import jwt
from pydantic import BaseModel

from keysteward.core.errors import KeystewardError, NotFound, OutcomeUnknown, Unavailable
from keysteward.host.http import LONGEST_REASON, Budget, HeardClock, Reply, Session, retry_after
from keysteward.host.references import resolve_token
from keysteward.host.token_proof import Discovery, KeySet, SigningKeys
from keysteward.providers.kit.pages import Pages

PAGE_SIZE: Final = 100
"""The largest `limit` of a list call."""

SHARE_OF_LIMIT: Final = 3_000
"""Calls a minute that we make at most: half of what WorkOS allows a key."""


_Model = TypeVar("_Model", bound=BaseModel)


class _Metadata(BaseModel):
    after: str | None = None


class Page(BaseModel, Generic[_Model]):
    """What a list call answers: without both of these it is no list, and never an empty one."""

    data: list[_Model]
    list_metadata: _Metadata


@dataclass(frozen=True, slots=True)
class Listing(Generic[_Model]):
    """All entries of a list, and the target's time at its start and at its first reply."""

    entries: tuple[_Model, ...]
    started_at: datetime
    clock: datetime | None


class WorkOSClient:
    """Calls to one environment. Thread-safe.

    `reference` points to an API key of the environment (`sk_...`), which is read anew for each call. `authkit` is the
    address of the AuthKit domain, the issuer of tokens. `clock` (seconds, monotonic) and `sleep` are inputs, for tests.
    """

    def __init__(
        self,
        target: str,
        *,
        url: str,
        authkit: str,
        reference: str,
        purpose: str,
        ca: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.target = target
        self.issuer = authkit
        self.who = f"the {purpose} key ({reference})"
        self._reference = reference
        self._url = url
        self._clock = clock
        budget = Budget(SHARE_OF_LIMIT, timedelta(minutes=1), clock=clock, sleep=sleep)
        self._http = Session(target, ca=ca, budget=budget, clock=clock, sleep=sleep)
        self._lock = threading.Lock()
        self._heard = HeardClock(clock)
        self._keys = SigningKeys(self._read_keys)

    def now(self) -> datetime | None:
        """Return the target's time as last heard, moved on by our clock; None before the first answer."""
        return self._heard.now()

    def call(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        repeatable: bool = True,
        changes: bool | None = None,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,  # noqa: ANN401 - JSON goes out here
        gone_is_fine: bool = False,
    ) -> Reply:
        """Make one call with the environment's key; with `gone_is_fine` a 404 is returned, not raised."""
        reply = self._http.request(
            method,
            self._url + path,
            operation=operation,
            repeatable=repeatable,
            changes=changes,
            params=params,
            json=json,
            headers={"Authorization": f"Bearer {self._key()}"},
        )
        self._heard.hear(reply.date)
        if gone_is_fine and reply.gone:
            return reply
        return self._checked(reply)

    def listing(
        self, shape: type[Page[_Model]], path: str, *, operation: str, gone_is_fine: bool = False
    ) -> Listing[_Model] | None:
        """Read a list by pages of 100, newest first; None when its owner does not exist and `gone_is_fine`.

        An object made meanwhile comes before the first page, so that no page is cut or shown twice.
        """
        entries: list[_Model] = []
        pages = Pages(self.target, operation)
        started: datetime | None = None
        clock: datetime | None = None
        query: dict[str, str | int] = {"limit": PAGE_SIZE}
        while True:
            reply = self.call("GET", path, operation=operation, params=query, gone_is_fine=gone_is_fine)
            if not reply.ok:
                return None
            if started is None:
                clock = reply.date
                started = (clock or datetime.now(UTC)) - timedelta(seconds=reply.seconds)
            page = reply.read(shape)
            entries += page.data
            after = page.list_metadata.after
            if not page.data or not after:
                return Listing(tuple(entries), started, clock)
            pages.turn(after, len(reply.body))
            query["after"] = after

    def token(self, form: Mapping[str, str]) -> Reply:
        """`POST /oauth2/token` as an application; the reply is returned whatever it says, except 404, 429 and 5xx."""
        reply = self._open("POST", "/oauth2/token", operation="ask for a token", form=form)
        refused = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        return reply if reply.status in refused else self._checked_at_authkit(reply)

    def key(self, kid: str) -> jwt.PyJWK | None:
        """Return the AuthKit domain's signing key of this `kid`."""
        with self._lock:
            return self._keys.find(kid)

    def _read_keys(self) -> KeySet:
        reply = self._open("GET", "/oauth2/jwks", operation="read token keys")
        return self._checked_at_authkit(reply).read(KeySet)

    def metadata(self) -> Discovery:
        """`GET /.well-known/oauth-authorization-server` of the AuthKit domain (RFC 8414)."""
        reply = self._open("GET", "/.well-known/oauth-authorization-server", operation="read metadata")
        return self._checked_at_authkit(reply).read(Discovery)

    def error(self, kind: type[KeystewardError], operation: str, message: str) -> KeystewardError:
        """Return an error with target and operation filled in."""
        return kind(message, target=self.target, operation=operation)

    def _open(self, method: str, path: str, *, operation: str, form: Mapping[str, str] | None = None) -> Reply:
        """Call the AuthKit domain, without the environment's key."""
        reply = self._http.request(
            method, self.issuer + path, operation=operation, repeatable=True, changes=False, form=form
        )
        self._heard.hear(reply.date)
        return reply

    def _key(self) -> str:
        return resolve_token(self._reference, purpose=self.who).get_secret_value()

    def _checked_at_authkit(self, reply: Reply) -> Reply:
        if reply.ok or reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._checked(reply)
        text = f"{self.issuer} answers {reply.status} to: {reply.operation}; correct `authkit_domain`"
        raise self.error(NotFound, reply.operation, text)

    def _checked(self, reply: Reply) -> Reply:
        if reply.ok:
            return reply
        raise reply.error(f"{reply.operation}: {self._sentence(reply)}")

    def _sentence(self, reply: Reply) -> str:
        """Say what a refusal means and what to do next."""
        match reply.status:
            case HTTPStatus.UNAUTHORIZED:
                return f"WorkOS refuses {self.who}; put the value of a living API key of this environment there"
            case HTTPStatus.FORBIDDEN:
                return f"{self.who} may not do this; give it the right in the WorkOS dashboard{_reason(reply)}"
            case HTTPStatus.NOT_FOUND:
                return "it does not exist in this environment, or not any more; run again"
            case HTTPStatus.TOO_MANY_REQUESTS:
                wait = retry_after(reply)
                when = "in a minute" if wait is None else f"in {wait:.0f} s"
                return f"WorkOS limits the calls of {self.who}; run again {when}"
            case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return f"WorkOS answered {status}; see its status page, then run again"
            case status:
                return f"WorkOS answered {status}{_reason(reply)}"


class _Fault(BaseModel):
    field: str | None = None


class _Refusal(BaseModel):
    errors: list[_Fault]


def _reason(reply: Reply) -> str:
    """Return WorkOS's reason: its one short message and the names of faulty fields, never the body."""
    try:
        fields = sorted({fault.field for fault in reply.read(_Refusal).errors if fault.field})
    except (Unavailable, OutcomeUnknown):
        fields = []
    text = reply.told("message").rstrip(".")
    text += f" ({', '.join(fields)})" if fields else ""
    return f": {text[:LONGEST_REASON]}" if text else ""
