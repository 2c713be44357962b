"""Being stopped by a signal: what was started is ended, and what was made is removed, as on an error."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a job that is cancelled, a terminal that is closed."""


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let the first signal raise KeyboardInterrupt or SystemExit, and let no second one disturb what is done then.

    A signal that is ignored stays so. Does nothing outside of the main thread, to which signals come.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _STOPPING}
    heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def stop(number: int, _frame: FrameType | None) -> None:
        for other in heeded:
            signal.signal(other, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    for number in heeded:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])
