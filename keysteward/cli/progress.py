"""Progress of a run on stderr, on a terminal only; and Ctrl-C, which stops a run between two steps."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from keysteward.cli.terminal import console
from keysteward.core.identity import name_of
from keysteward.operations.exit_codes import INTERRUPTED
from keysteward.report.text.plain import line, plain


class Display:
    """One line per thing that is worked on, and how many are done. Says nothing where there is no terminal.

    `stopping` says that a person wants no further step.
    """

    def __init__(self, total: int) -> None:
        self.stopping = False
        self._console = console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            MofNCompleteColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._all = self._progress.add_task("all", total=total)
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tell(self, identity: str, words: str) -> None:
        """Show what is done now."""
        text = plain(f"{name_of(identity)}: {words}")
        with self._lock:
            if identity not in self._tasks:
                self._tasks[identity] = self._progress.add_task(text, total=None)
            self._progress.update(self._tasks[identity], description=text)

    def finished(self, identity: str) -> None:
        """Take one away and count it."""
        with self._lock:
            task = self._tasks.pop(identity, None)
            if task is not None:
                self._progress.remove_task(task)
            self._progress.advance(self._all)

    def note(self, text: str) -> None:
        """Print a line above the display."""
        self._console.print(line(text), soft_wrap=True)

    def leave(self) -> None:
        """Give the terminal back as it was."""
        self._console.show_cursor()


class Interrupt:
    """The first Ctrl-C asks the run to stop, the second ends the process at once."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def __enter__(self) -> Self:
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._strike)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._main:
            signal.signal(signal.SIGINT, self._before)

    def _strike(self, _number: int, _frame: FrameType | None) -> None:
        if self._display.stopping:
            self._display.leave()
            os._exit(INTERRUPTED)
        self._display.stopping = True
        self._display.note("stopping after the steps under way; Ctrl-C again exits at once")
