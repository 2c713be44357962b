"""WorkOS's API and the token endpoint of its AuthKit domain over HTTP, for one environment and one key of it.

Limits and errors are those of the vendor's pages "Rate limits" and "Errors" of the API reference.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Final, Generic, TypeVar

import jwt
from pydantic import BaseModel

from keysteward.core.errors import NotFound, OutcomeUnknown, Unavailable
from keysteward.host.http import LONGEST_REASON, Budget, Reply, retry_after
from keysteward.host.token_proof import Discovery, KeySet, SigningKeys
from keysteward.providers.kit.client import ApiClient
from keysteward.providers.kit.pages import Listing

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


class WorkOSClient(ApiClient):
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
        budget = Budget(SHARE_OF_LIMIT, timedelta(minutes=1), clock=clock, sleep=sleep)
        who = f"the {purpose} key ({reference})"
        super().__init__(target, url=url, reference=reference, who=who, ca=ca, budget=budget, clock=clock, sleep=sleep)
        self.issuer = authkit
        self._lock = threading.Lock()
        self._keys = SigningKeys(self._read_keys)

    def pages(
        self, shape: type[Page[_Model]], path: str, *, operation: str, gone_is_fine: bool = False
    ) -> Listing[_Model] | None:
        """Read a list by pages of 100, newest first; None when its owner does not exist and `gone_is_fine`."""

        def read(reply: Reply) -> tuple[Sequence[_Model], str | None]:
            page = reply.read(shape)
            return page.data, page.list_metadata.after if page.data else None

        try:
            return self.listing(path, read, operation=operation, parameter="after", query={"limit": PAGE_SIZE})
        except NotFound:
            if not gone_is_fine:
                raise
            return None

    def token(self, form: Mapping[str, str]) -> Reply:
        """`POST /oauth2/token` as an application; the reply is returned whatever it says, except 404, 429 and 5xx."""
        reply = self.open("POST", f"{self.issuer}/oauth2/token", operation="ask for a token", form=form)
        refused = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        return reply if reply.status in refused else self._checked_at_authkit(reply)

    def key(self, kid: str) -> jwt.PyJWK | None:
        """Return the AuthKit domain's signing key of this `kid`."""
        with self._lock:
            return self._keys.find(kid)

    def _read_keys(self) -> KeySet:
        reply = self.open("GET", f"{self.issuer}/oauth2/jwks", operation="read token keys")
        return self._checked_at_authkit(reply).read(KeySet)

    def metadata(self) -> Discovery:
        """`GET /.well-known/oauth-authorization-server` of the AuthKit domain (RFC 8414)."""
        url = f"{self.issuer}/.well-known/oauth-authorization-server"
        reply = self.open("GET", url, operation="read metadata")
        return self._checked_at_authkit(reply).read(Discovery)

    def _checked_at_authkit(self, reply: Reply) -> Reply:
        if reply.ok or reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self.checked(reply)
        text = f"{self.issuer} answers {reply.status} to: {reply.operation}; correct `authkit_domain`"
        raise self.error(NotFound, reply.operation, text)

    def sentence(self, reply: Reply) -> str:
        """Say what a refusal means and what to do next."""
        return f"{reply.operation}: {self._refusal(reply)}"

    def _refusal(self, reply: Reply) -> str:
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
