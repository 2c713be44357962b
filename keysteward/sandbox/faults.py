"""Faults on request: what a vendor does on a bad day, by rule instead of by chance."""

from __future__ import annotations

import re
import threading
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Kind = Literal["status", "lost_reply", "lost_request", "slow", "stale_list"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One rule: which calls it meets, and what happens to them.

    ``kind`` is one of

    - ``status``: answer ``status`` with ``headers`` (such as ``Retry-After``) and do no work;
    - ``lost_request``: close the connection and do no work;
    - ``lost_reply``: do the work, then close the connection without an answer;
    - ``slow``: wait ``seconds``, then do the work; other calls are not held up;
    - ``stale_list``: lists show what was there ``seconds`` of the stand-in's clock ago.

    ``path`` is a regular expression searched in the path without query. The first ``after`` calls that match pass
    untouched, then ``times`` calls are hit (``None``: all of them).
    """

    kind: Kind
    method: str = "*"
    path: str = ""
    times: int | None = 1
    after: int = 0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown kind of fault {self.kind!r}: choose one of {', '.join(get_args(Kind))}")
        re.compile(self.path)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Fault:
        """Read a rule as the control API takes it; unknown or missing fields raise `ValueError`."""
        try:
            return cls(**document)
        except (TypeError, re.error) as error:
            raise ValueError(str(error)) from error

    def matches(self, method: str, path: str) -> bool:
        """Say whether a call is one this rule is about."""
        return self.method in {"*", method} and re.search(self.path, path) is not None


class Faults:
    """The rules of one stand-in, in the order they were added, with their counters. Thread-safe."""

    def __init__(self) -> None:
        self._rules: list[tuple[Fault, list[int]]] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Add a rule behind those there are."""
        with self._lock:
            self._rules.append((fault, [0]))

    def clear(self) -> None:
        """Forget all rules."""
        with self._lock:
            self._rules.clear()

    def strike(self, method: str, path: str) -> Fault | None:
        """Count a call against every rule it matches, and return the first rule that hits it."""
        hit: Fault | None = None
        with self._lock:
            for fault, seen in self._rules:
                if hit is not None or not fault.matches(method, path):
                    continue
                seen[0] += 1
                if seen[0] > fault.after and (fault.times is None or seen[0] <= fault.after + fault.times):
                    hit = fault
        return hit

    def listing(self) -> list[dict[str, Any]]:
        """Return the rules as JSON, each with the number of calls it has seen."""
        with self._lock:
            return [{**asdict(fault), "seen": seen[0]} for fault, seen in self._rules]
