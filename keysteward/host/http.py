"""One way to speak HTTP: time-outs, pooled connections, repeats where they are safe, a request budget, no leaks.

Only the `client.py` files of targets and stores use it. What goes wrong on the way becomes an error of
`keysteward.core.errors`; a reply that arrived is returned whatever its status, and `Reply.error` turns it into one.
No message, log line or exception chain holds a header, a body or a query string.
"""

from __future__ import annotations

import logging
import math
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, stop_after_attempt
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError

from keysteward.core.contract.address import is_here
from keysteward.core.errors import KeystewardError, NotFound, OutcomeUnknown, Rejected, Unavailable, error_for_status
from keysteward.host.foreign_json import Misshapen, Shape, read_json
from keysteward.host.transport import LARGEST_ANSWER_BYTES, TooLarge, Transport, causes, server_date

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 20.0

SEND_AGAIN_SECONDS = 20.0
"""A call that is not repeatable is sent again after 429 only while it has waited and been answered for so long at most.

A list is taken for proof of what a lost answer left behind `CALL_TIMEOUT` after the first attempt.
"""

CALL_TIMEOUT = timedelta(seconds=50)
"""After this long a call without answer cannot succeed any more: `SEND_AGAIN_SECONDS`, both time-outs, some slack."""

ATTEMPTS = 4
"""A repeatable call is made four times at most, with 0.25, 0.5 and 1 second between unless the server says how long."""

LONGEST_PAUSE_SECONDS = 60.0
"""A longer Retry-After is not waited for: the run ends with Unavailable, which says how long."""

LONGEST_CALL_SECONDS = 200.0
"""No attempt begins later than this after the first: three pauses of a minute, and what the attempts took."""

POOL_SIZE = 16
"""Connections kept alive per host: more than the threads of any caller."""

LONGEST_REASON = 200
"""Characters of a vendor's own reason in a sentence of ours."""

THROTTLED = frozenset({429, 503})
GATEWAY_GAVE_UP = frozenset({502, 504})
EPOCH_RESETS_FROM = 1_000_000_000
"""`x-ratelimit-reset` above this is a time (epoch seconds), below it a number of seconds."""

_NO_ANSWER = "{host} gave no answer to a write; the next run finds out whether it was done"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_BEFORE_SENDING = (NewConnectionError, ConnectTimeoutError, NameResolutionError)
_TLS_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_TLS_FAILURES = {
    9: "its TLS certificate is not valid yet; compare the clocks of both machines",
    10: "its TLS certificate has expired; renew it on the server",
    18: "its TLS certificate is self-signed; set `ca` or REQUESTS_CA_BUNDLE to that certificate",
    19: "its TLS chain ends in an unknown root; set `ca` or REQUESTS_CA_BUNDLE to the root certificate",
    20: "its TLS certificate comes from an unknown authority; set `ca` or REQUESTS_CA_BUNDLE to the root certificate",
    62: "its TLS certificate is for another host name; correct the url, or renew the certificate with this name",
    64: "its TLS certificate is for another address; correct the url, or renew the certificate with this address",
}
"""OpenSSL verification codes (X509_V_ERR_*, openssl-verification-options) and what to do about each."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `date` is the server's clock when it sends one; the body shows in no repr."""

    target: str
    operation: str
    status: int
    seconds: float
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    wrote: bool = False

    @property
    def ok(self) -> bool:
        """Say whether the call succeeded."""
        return self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def date(self) -> datetime | None:
        """Return the server's time (aware UTC) from the Date header."""
        return server_date(self.headers.get("date", ""))

    def read(self, shape: type[Shape]) -> Shape:
        """Return the body in the shape that the vendor documents.

        Raises Unavailable when it has another, for then some other server answered; OutcomeUnknown after a write.
        """
        try:
            return read_json(self.body, shape)
        except Misshapen as problem:
            reason = str(problem)
        kind = OutcomeUnknown if self.wrote else Unavailable
        raise kind(
            f"{self.operation}: the answer is {reason}; check that url points to the service and not to a proxy's "
            "page, and the version of the service",
            target=self.target,
            operation=self.operation,
            request_id=self._request_id,
        )

    def told(self, *names: str) -> str:
        """Return the first of these texts that a refusal holds, shortened; "" when it holds none of them."""
        try:
            document = read_json(self.body, dict[str, Any])
        except Misshapen:
            return ""
        texts = (document.get(name) for name in names)
        return next((text[:LONGEST_REASON] for text in texts if isinstance(text, str) and text), "")

    @property
    def gone(self) -> bool:
        """Say whether the service says that it is not there. Raises Unavailable for a 404 in other words than JSON."""
        if self.status != HTTPStatus.NOT_FOUND:
            return False
        replace(self, wrote=False).read(dict[str, Any])
        return True

    def error(self, message: str) -> KeystewardError:
        """Return the error for this reply's status with a message of the caller's.

        A gateway that gave up on a write leaves it open whether the write was done.
        """
        kind = OutcomeUnknown if self.wrote and self.status in GATEWAY_GAVE_UP else error_for_status(self.status)
        return kind(message, target=self.target, operation=self.operation, request_id=self._request_id)

    @property
    def _request_id(self) -> str | None:
        return self.headers.get("x-request-id")


class Budget:
    """A share of a documented limit: at most `calls` in `per`, in small bursts; slower when the server's headers ask.

    Thread-safe. `take` waits for the next free place.
    """

    def __init__(
        self,
        calls: int,
        per: timedelta,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = per.total_seconds() / calls
        self._burst = per.total_seconds() / 10
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def take(self) -> None:
        """Wait until the next call is within the budget."""
        with self._lock:
            now = self._clock()
            self._next = self._place(now)
            pause = self._next - now
        if pause > 0:
            self._sleep(pause)

    def pause(self) -> float:
        """Return the seconds that `take` would wait now."""
        with self._lock:
            now = self._clock()
            return max(0.0, self._place(now) - now)

    def _place(self, now: float) -> float:
        return max(self._next + self._interval, now - self._burst)

    def learn(self, headers: Mapping[str, str], date: datetime | None) -> None:
        """Hold back until the reset when the server says that nothing remains."""
        if headers.get("x-ratelimit-remaining") != "0":
            return
        try:
            reset = float(headers.get("x-ratelimit-reset", ""))
        except ValueError:
            return
        if not math.isfinite(reset):
            return
        if reset > EPOCH_RESETS_FROM:
            reset -= (date or datetime.now(UTC)).timestamp()
        with self._lock:
            self._next = max(self._next, self._clock() + min(max(reset, 0.0), LONGEST_PAUSE_SECONDS))


@dataclass(frozen=True, slots=True)
class _Failure:
    """What went wrong without a reply. `again` says whether another attempt may help."""

    error: KeystewardError
    again: bool


class HeardClock:
    """A server's time as last heard, moved on by ours. `clock` returns seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heard: tuple[datetime, float] | None = None

    def hear(self, time_there: datetime | None, at: float | None = None) -> None:
        """Note what a server said, by our clock at `at` (now when not given); None is not heard."""
        if time_there is not None:
            self._heard = time_there, self._clock() if at is None else at

    def now(self) -> datetime | None:
        """Return its time now; None before anything was heard."""
        heard = self._heard
        return None if heard is None else heard[0] + timedelta(seconds=self._clock() - heard[1])


class Session:
    """Calls to one target over kept-alive connections. Thread-safe.

    `ca` is the path of a certificate bundle; without it REQUESTS_CA_BUNDLE counts, then certifi's.
    `clock` (seconds, monotonic) and `sleep` are inputs, for tests.
    """

    def __init__(
        self,
        target: str,
        *,
        ca: str | None = None,
        budget: Budget | None = None,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._target = target
        self._ca = ca
        self._budget = budget
        self._timeouts = (CONNECT_TIMEOUT_SECONDS, read_timeout_seconds)
        self._clock = clock
        self._sleep = sleep
        self._pool = requests.Session()
        self._pool.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self._pool.mount(scheme, Transport(pool_connections=4, pool_maxsize=POOL_SIZE))
        self._hosts: dict[str, Mapping[str, Any]] = {}

    def _settings(self, url: str) -> Mapping[str, Any]:
        """Return proxies and certificate bundle of a host by the environment, looked up once: it is slow per call.

        What is for this machine goes through no proxy, which would carry it elsewhere, and in clear over http://.
        """
        parts = urlsplit(url)
        host = f"{parts.scheme}://{parts.netloc}"
        if host not in self._hosts:
            found = requests.Session().merge_environment_settings(host, {}, None, self._ca or None, None)
            self._hosts[host] = {"proxies": {} if is_here(host) else found["proxies"], "verify": found["verify"]}
            self._pool.trust_env = False
        return self._hosts[host]

    def request(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        repeatable: bool,
        changes: bool | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,  # noqa: ANN401 - JSON goes out here
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Make one call and return its reply, whatever its status.

        `body` is sent as it is, for what is signed. A `repeatable` call is made again after 429 and 503, and when no
        answer came; any other after 429 alone, which says that nothing was done (RFC 6585, section 4), and only within
        `SEND_AGAIN_SECONDS`. `changes` (default: by the verb) says that the call writes; then a lost answer raises
        OutcomeUnknown. Raises Unavailable when nothing was sent, or when a reading call got no answer.
        """
        writes = method not in _READING if changes is None else changes
        call = _Call(method, url, operation, writes, headers or {}, params, json, form if body is None else body)
        attempts = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_pause,
            sleep=self._sleep,
            retry=partial(_worth_repeating if repeatable else self._was_not_done, call),
            retry_error_callback=_last,
        )
        outcome: Reply | _Failure = attempts(self._once, call)
        if isinstance(outcome, Reply) and not (call.lost and error_for_status(outcome.status) is Unavailable):
            return outcome
        if call.lost:
            raise self._error(OutcomeUnknown, call, _NO_ANSWER.format(host=urlsplit(url).netloc))
        if isinstance(outcome, _Failure):
            raise outcome.error
        return outcome

    def _was_not_done(self, call: _Call, state: RetryCallState) -> bool:
        """Say whether a call that must not be done twice was refused undone, and may be sent again soon enough."""
        outcome = _last(state)
        if not isinstance(outcome, Reply) or outcome.status != HTTPStatus.TOO_MANY_REQUESTS:
            return False
        held_back = 0.0 if self._budget is None else self._budget.pause()
        return call.answering + state.idle_for + max(_pause(state), held_back) <= SEND_AGAIN_SECONDS

    def _once(self, call: _Call) -> Reply | _Failure:
        if self._budget is not None:
            self._budget.take()
        started = self._clock()
        outcome = self._send(call, started)
        result = outcome.status if isinstance(outcome, Reply) else type(outcome.error).__name__
        log.debug(
            "target=%s operation=%r method=%s status=%s ms=%d",
            *(self._target, call.operation, call.method, result, (self._clock() - started) * 1000),
        )
        call.answering += self._clock() - started
        if self._budget is not None and isinstance(outcome, Reply):
            self._budget.learn(outcome.headers, outcome.date)
        return outcome

    def _send(self, call: _Call, started: float) -> Reply | _Failure:
        """Send once. Exceptions of the library end here: they carry requests, and requests carry credentials."""
        try:
            answer = self._pool.request(
                call.method,
                call.url,
                params=call.params,
                json=call.json,
                data=call.data,
                auth=_Headers(call.headers),
                timeout=self._timeouts,
                allow_redirects=False,
                **self._settings(call.url),
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as problem:
            return self._failure(call, problem)
        reply = Reply(
            *(self._target, call.operation, answer.status_code),
            self._clock() - started,
            answer.headers,
            answer.content,
            call.writes,
        )
        if answer.is_redirect:
            host = _host(answer.headers.get("location", "")) or "another path"
            return _Failure(
                self._error(NotFound, call, f"the server redirects to {host}; set url to where it leads"), again=False
            )
        return reply

    def _failure(self, call: _Call, problem: Exception) -> _Failure:
        host = _host(call.url)
        found = tuple(causes(problem))
        if isinstance(problem, (requests.exceptions.MissingSchema, requests.exceptions.InvalidURL)) or not host:
            return _Failure(self._error(NotFound, call, "url is not an http(s) address; correct it"), again=False)
        if isinstance(problem, (requests.exceptions.InvalidHeader, UnicodeError)):
            text = "a value that is to be sent has characters that no header can carry; correct it"
            return _Failure(self._error(Rejected, call, text), again=False)
        if isinstance(problem, TooLarge):
            call.lost = call.writes
            text = (
                f"{host} answers with more than {LARGEST_ANSWER_BYTES >> 20} MB; check that url points to the service"
            )
            return _Failure(self._error(Unavailable, call, text), again=False)
        tls = next((cause for cause in found if isinstance(cause, ssl.SSLError)), None)
        if not isinstance(problem, requests.RequestException) or getattr(tls, "library", None) in {"X509", "PEM"}:
            text = f"the certificate bundle (`ca` or REQUESTS_CA_BUNDLE) cannot be used for {host}; correct its path"
            return _Failure(self._error(NotFound, call, text), again=False)
        if tls is not None and not isinstance(tls, _TLS_CUT):
            code = getattr(tls, "verify_code", None)
            text = _TLS_FAILURES.get(code or 0, "no TLS connection could be made; check that url and port speak TLS")
            return _Failure(self._error(Unavailable, call, f"{host}: {text}"), again=False)
        if isinstance(problem, requests.exceptions.ProxyError):
            text = f"{host} cannot be reached through the proxy; check HTTPS_PROXY and NO_PROXY"
            return _Failure(self._error(Unavailable, call, text), again=True)
        if any(isinstance(cause, _BEFORE_SENDING) for cause in found):
            text = f"{host} is down or cannot be reached; start it or correct the url, then run again"
            return _Failure(self._error(Unavailable, call, text), again=True)
        if call.writes:
            call.lost = True
            return _Failure(self._error(OutcomeUnknown, call, _NO_ANSWER.format(host=host)), again=True)
        text = f"{host} gave no answer in time; check its health, then run again"
        return _Failure(self._error(Unavailable, call, text), again=True)

    def _error(self, kind: type[KeystewardError], call: _Call, message: str) -> KeystewardError:
        return kind(message, target=self._target, operation=call.operation)


@dataclass(slots=True, repr=False)
class _Call:
    """One call with all its attempts. `lost` says that one of them was sent and never answered.

    `answering` is how many seconds the attempts took, without the pauses.
    """

    method: str
    url: str
    operation: str
    writes: bool
    headers: Mapping[str, str]
    params: Mapping[str, str | int] | None
    json: Any
    data: Mapping[str, str] | bytes | None
    lost: bool = False
    answering: float = 0.0


class _Headers(AuthBase):
    """Sets headers last, so that a ~/.netrc entry for the host never replaces our Authorization."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


def _worth_repeating(call: _Call, state: RetryCallState) -> bool:
    outcome = _last(state)
    if call.answering + state.idle_for + _pause(state) > LONGEST_CALL_SECONDS:
        return False
    if isinstance(outcome, _Failure):
        return outcome.again
    return outcome.status in THROTTLED and (retry_after(outcome) or 0.0) <= LONGEST_PAUSE_SECONDS


def _pause(state: RetryCallState) -> float:
    outcome = _last(state)
    told = retry_after(outcome) if isinstance(outcome, Reply) else None
    return told if told is not None else 0.25 * 2.0 ** (state.attempt_number - 1)


def _last(state: RetryCallState) -> Reply | _Failure:
    if state.outcome is None:
        raise RuntimeError("no attempt was made")
    outcome: Reply | _Failure = state.outcome.result()
    return outcome


def retry_after(reply: Reply) -> float | None:
    """Return the seconds a server asks to wait (RFC 9110, section 10.2.3: seconds or a date), None when it does not."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    when = server_date(text)
    if when is None:
        return None
    return max(0.0, (when - (reply.date or datetime.now(UTC))).total_seconds())


def _host(url: str) -> str:
    """Return the host of an address, "" when it has none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""
