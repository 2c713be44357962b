"""The frame of a vendor's client: calls with a credential, refusals in sentences, the vendor's clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, create_model

from keysteward.core.errors import KeystewardError
from keysteward.host.http import Budget, HeardClock, Reply, Session
from keysteward.host.once import once
from keysteward.providers.kit.login import bearer
from keysteward.providers.kit.pages import Listing, Query, by_cursor

__all__ = ["ApiClient", "Budget", "Reply", "once"]


T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


class ApiClient:
    """Calls to one vendor with one credential. Thread-safe.

    `url` is what paths of calls are put behind; `reference` points to the credential, `who` names it. `ca` is the path
    of a certificate bundle, `budget` the share of the vendor's limit that is used. `clock` (seconds, monotonic) and
    `sleep` are inputs, for tests. A subclass may say how calls are authorised, and what a refusal means.
    """

    def __init__(
        self,
        target: str,
        *,
        url: str,
        reference: str,
        who: str,
        ca: str | None = None,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.target = target
        self.reference = reference
        self.who = who
        self.clock = clock
        self._url = url
        self._http = Session(target, ca=ca, budget=budget, clock=clock, sleep=sleep)
        self._heard = HeardClock(clock)

    def authorization(self, refused: str | None = None) -> str:
        """Return the header Authorization of a call; another one than `refused`, if there is another.

        As it is, the reference points to a token, which is read anew for each call.
        """
        del refused
        return bearer(self.reference, self.who)

    def sentence(self, reply: Reply) -> str:
        """Say what a refusal means and what to do next; nothing of a body but one short field.

        As it is, in the words that fit any vendor; an adapter that knows its vendor's refusals says more.
        """
        reason = reply.told("message", "error_description", "error")
        said = f"the service answered {reply.status}"
        if reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            said = f"{self.who} may not do this; correct it, or give it the right"
        return f"{reply.operation}: {said}{f': {reason}' if reason else ''}"

    def accepts(self, reply: Reply, statuses: AbstractSet[int]) -> bool:
        """Say whether a refusal is one of these, and the vendor's own: what stands before it may answer 404, too."""
        return reply.status in statuses and (reply.status != HTTPStatus.NOT_FOUND or reply.gone)

    def now(self) -> datetime | None:
        """Return the vendor's time as last heard, moved on by our clock; None before the first answer."""
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
        accept: AbstractSet[int] = frozenset(),
        base: str | None = None,
    ) -> Reply:
        """Call with the credential; one that ended early (401: nothing was done) is renewed once.

        A refusal whose status is in `accept` is returned, any other is raised. `base` takes the place of the url.
        """
        credential = self.authorization()
        for last in (False, True):
            reply = self._http.request(
                method,
                (self._url if base is None else base) + path,
                operation=operation,
                repeatable=repeatable,
                changes=changes,
                params=params,
                json=json,
                headers={"Authorization": credential},
            )
            self._heard.hear(reply.date)
            if reply.status != HTTPStatus.UNAUTHORIZED or last:
                break
            refused, credential = credential, self.authorization(credential)
            if credential == refused:
                break
        return reply if not reply.ok and self.accepts(reply, accept) else self.checked(reply)

    def open(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        repeatable: bool = True,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Call without the credential, at a whole address, what changes nothing; the reply is returned as it is."""
        reply = self._http.request(
            method, url, operation=operation, repeatable=repeatable, changes=False, form=form, headers=headers
        )
        self._heard.hear(reply.date)
        return reply

    def entries(
        self, path: str, shape: type[Model], *, operation: str, entries: str = "data", following: str = "after"
    ) -> Listing[Model]:
        """Read a list whose pages have these two fields; the next page is asked for by the name of the second."""
        page = create_model("Page", **{entries: (list[shape], ...), following: (str | None, None)})  # type: ignore[call-overload,valid-type]

        def read(reply: Reply) -> tuple[list[Model], str | None]:
            got = reply.read(page)
            return getattr(got, entries), getattr(got, following)

        return self.listing(path, read, operation=operation, parameter=following)

    def listing(
        self,
        path: str,
        read: Callable[[Reply], tuple[Sequence[T], str | None]],
        *,
        operation: str,
        parameter: str,
        query: Query | None = None,
    ) -> Listing[T]:
        """Read a list whose pages name the next one (see `pages.by_cursor`). `query` goes with each call."""

        def get(following: Query) -> Reply:
            return self.call("GET", path, operation=operation, params={**(query or {}), **following})

        return by_cursor(self.target, operation, get, read, parameter=parameter)

    def checked(self, reply: Reply) -> Reply:
        """Return a reply. Raises the error of its status, with a sentence, when it is a refusal."""
        if reply.ok:
            return reply
        raise reply.error(self.sentence(reply))

    def error(self, kind: type[KeystewardError], operation: str, message: str) -> KeystewardError:
        """Return an error with target and operation filled in."""
        return kind(message, target=self.target, operation=operation)
