"""Independent calls, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

CALLS_AT_ONCE: Final = 8
"""Calls of a bulk read that are under way together."""


def in_pool(work: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
    """Do independent calls a few at a time; results in order, the first error is raised."""
    chosen = list(items)
    if len(chosen) <= 1:
        return [work(item) for item in chosen]
    with ThreadPoolExecutor(max_workers=min(CALLS_AT_ONCE, len(chosen)), thread_name_prefix="keysteward") as pool:
        futures = [pool.submit(work, item) for item in chosen]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
