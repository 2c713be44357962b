"""How answers come in: so many bytes at most, and within so much time, whatever the other side does.

A read time-out alone is no limit: it begins anew with each byte. So the time for the whole answer, its first line and
its headers too, is kept where bytes are read from the socket.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from typing import Any, Final, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

LARGEST_ANSWER_BYTES: Final = 32 * 1024 * 1024
"""Unpacked. The longest answer that a vendor gives in one piece, the scopes of a realm with 10,000, has some 20 MB."""

TIME_OUTS_FOR_ALL: Final = 3
"""The whole answer may take so many read time-outs: a minute, in which the slowest line brings the largest page."""

FIRST_YEAR: Final = 2000
YEAR_BEYOND: Final = 3000
"""No server's clock says so; beside it, sums of times do not reach the end of the calendar."""

_AT_ONCE: Final = 64 * 1024

_clock = time.monotonic


class TooLarge(requests.RequestException):
    """An answer of more than `LARGEST_ANSWER_BYTES`; it was not read to its end."""


class Transport(HTTPAdapter):
    """Kept-alive connections whose answers are read whole, within the limits of this module."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the library's own signature
        """Let every connection watch the time."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - the library's own signature
        """Let every connection through a proxy of HTTP watch the time too."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Send, and read the answer. Raises TooLarge, and what requests raises."""
        response = super().send(request, *args, **{**kwargs, "stream": True})
        try:
            whole = _whole(response.raw)
        except BaseException:
            response.close()
            raise
        response.raw = io.BytesIO(whole)
        return response


def _whole(answer: Any) -> bytes:  # noqa: ANN401 - urllib3's response, which requests does not type
    read = io.BytesIO()
    try:
        for piece in answer.stream(_AT_ONCE, decode_content=True):
            if read.tell() + len(piece) > LARGEST_ANSWER_BYTES:
                raise TooLarge
            read.write(piece)
    except HTTPError as problem:
        raise requests.ConnectionError(problem) from None
    return read.getvalue()


class _Timed(io.RawIOBase):
    """The bytes of one answer, as long as there is time for it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._bytes = cast("io.RawIOBase", sock.makefile("rb", buffering=0))
        self._each = sock.gettimeout()
        self._ends = None if self._each is None else _clock() + TIME_OUTS_FOR_ALL * self._each

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - a buffer
        if self._ends is not None and self._each is not None:
            left = self._ends - _clock()
            if left <= 0:
                raise TimeoutError
            if left < self._each:
                self._sock.settimeout(left)
        return self._bytes.readinto(buffer)

    def close(self) -> None:
        if not self.closed and self._sock.fileno() >= 0:
            self._sock.settimeout(self._each)
        self._bytes.close()
        super().close()


class _Watched:
    """A socket whose reading end watches the time."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Timed(self._sock))


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the library has it
        super().__init__(cast("socket.socket", _Watched(sock)), *args, **kwargs)


class _Connection(HTTPConnection):
    response_class = _Answer


class _TlsConnection(HTTPSConnection):
    response_class = _Answer


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS: Final = {"http": _Pool, "https": _TlsPool}


def server_date(text: str) -> datetime | None:
    """Read a Date header (RFC 9110, section 5.6.7) as aware UTC; None for what is none, or no year of a clock."""
    try:
        when = parsedate_to_datetime(text)
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return when if FIRST_YEAR <= when.year < YEAR_BEYOND else None


def causes(problem: BaseException) -> Iterator[BaseException]:
    """Walk through what an exception of requests wraps: urllib3 keeps the cause in `args`, `reason` or `__cause__`."""
    pending: list[object] = [problem]
    seen: set[int] = set()
    while pending:
        item = pending.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        pending.extend((*item.args, getattr(item, "reason", None), item.__cause__, item.__context__))
