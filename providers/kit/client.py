"""The frame of a vendor's client: calls with a credential, refusals in sentences, the vendor's clock."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from http import HTTPStatus
from typing import Any

from keysteward.core.errors import KeystewardError
from keysteward.host.http import Budget, HeardClock, Reply, Session


class ApiClient(ABC):
    """Calls to one vendor with one credential. Thread-safe.

    `url` is what paths of calls are put behind; `who` names the credential in sentences. `ca` is the path of a
    certificate bundle, `budget` the share of the vendor's limit that is used. `clock` (seconds, monotonic) and `sleep`
    are inputs, for tests. A subclass says how calls are authorised, and what a refusal means.
    """

    def __init__(
        self,
        target: str,
        *,
        url: str,
        who: str,
        ca: str | None = None,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.target = target
        self.who = who
        self.clock = clock
        self._url = url
        self._http = Session(target, ca=ca, budget=budget, clock=clock, sleep=sleep)
        self._heard = HeardClock(clock)

    @abstractmethod
    def authorization(self, refused: str | None = None) -> str:
        """Return the header Authorization of a call; another one than `refused`, if there is another."""

    @abstractmethod
    def sentence(self, reply: Reply) -> str:
        """Say what a refusal means and what to do next; nothing of a body but one short field."""

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

    def checked(self, reply: Reply) -> Reply:
        """Return a reply. Raises the error of its status, with a sentence, when it is a refusal."""
        if reply.ok:
            return reply
        raise reply.error(self.sentence(reply))

    def error(self, kind: type[KeystewardError], operation: str, message: str) -> KeystewardError:
        """Return an error with target and operation filled in."""
        return kind(message, target=self.target, operation=operation)
