"""Processes that share the work of one command: they see no credential, leave Ctrl-C to it, and end when it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from keysteward.host.children import only_for_us


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def helpers(count: int, begin: Callable[..., None] | None = None, *given: Any) -> Iterator[ProcessPoolExecutor]:  # noqa: ANN401 - of `begin`
    """Lend so many processes, each of which calls `begin` first. What is given reaches them through a pipe.

    What was not begun when the block is left is not done any more.
    """
    context = multiprocessing.get_context("spawn")
    with only_for_us(), ProcessPoolExecutor(count, context, _begin, (begin, given)) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    if begin is not None:
        begin(*given)


def _end_with_the_command() -> None:
    """Wait until the command is gone, however it ended; its processes would wait for work for ever."""
    command = multiprocessing.parent_process()
    if command is not None:
        command.join()
        os._exit(1)
