"""Counts calls: to a target over HTTP, and to stores and ledger stores through the port."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

_HTTP = logging.getLogger("keysteward.host.http")
LIST = "list clients"
"""The operation that reads one page of clients, as the target's log lines call it."""


class HttpCalls(logging.Handler):
    """Hears every HTTP call to one target while it is open."""

    def __init__(self, target: str) -> None:
        super().__init__(logging.DEBUG)
        self.target = target
        self.operations: list[str] = []
        self._by_thread: Counter[int] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one call: the first two fields of the log line are target and operation."""
        if isinstance(record.args, tuple) and record.args[0] == self.target:
            self.operations.append(str(record.args[1]))
            self._by_thread[threading.get_ident()] += 1

    def mine(self) -> int:
        """Return how many calls this thread has made."""
        return self._by_thread[threading.get_ident()]

    def __enter__(self) -> Self:
        _HTTP.addHandler(self)
        _HTTP.setLevel(logging.DEBUG)
        _HTTP.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        _HTTP.removeHandler(self)
        _HTTP.setLevel(logging.NOTSET)
        _HTTP.propagate = True


class Counted:
    """A store or ledger store that counts the calls it passes on."""

    def __init__(self, port: Any, calls: Counter[str]) -> None:  # noqa: ANN401 - either of the two ports
        self._port = port
        self._calls = calls

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the port offers
        """Return what the port offers; of a method, one that counts."""
        found = getattr(self._port, name)
        return self._counting(name, found) if callable(found) else found

    def _counting(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the method's own
            self._calls[name] += 1
            return method(*args, **kwargs)

        return counted

    def as_reader(self) -> Counted:
        """Return the same port with the reader's credential."""
        return Counted(self._port.as_reader(), self._calls)
