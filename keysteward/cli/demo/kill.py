"""A kill in mid-rotation: the run ends by SIGKILL once the new key exists and nobody has noted that it does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
from werkzeug.wrappers import Request, Response

from keysteward.cli.demo.place import STACK, Place, keys_at_provider
from keysteward.sandbox.server import Work

START_SECONDS = 30


@dataclass
class Kill:
    """Waits for the one moment. `keys` is what the identity provider held then; empty while it has not come."""

    place: Place
    name: str
    keys: set[str] = field(default_factory=set)
    _before: set[str] = field(default_factory=set)
    _process: int = 0
    _started: threading.Event = field(default_factory=threading.Event)

    def aim(self, process: int) -> None:
        """Say which process it is."""
        self._process = process
        self._started.set()

    @contextmanager
    def lie_in_wait(self) -> Iterator[None]:
        """Look at each write to the ledger store while this lasts."""
        vault = self.place.vault
        if vault is None:
            raise ValueError("nothing can be struck at a store that is not the stand-in")
        self._before = keys_at_provider(self.place, self.name)
        usual, vault.around = vault.around, self._around
        try:
            yield
        finally:
            vault.around = usual

    def _around(self, request: Request, work: Work) -> Response | None:
        """Kill whoever is about to note in the ledger what is new at the identity provider; nothing is noted."""
        is_note = request.method == "POST" and request.path.endswith(f"/ledgers/{STACK}/{self.name}")
        if self.keys or not is_note:
            return None if self.keys else work()
        found = keys_at_provider(self.place, self.name)
        if found == self._before:
            return work()
        self.keys = found
        if self._started.wait(START_SECONDS):
            kill_with_children(self._process)
        return None


def kill_with_children(process: int) -> None:
    """Send SIGKILL to a process and to all it has started, as when the machine under a run is taken away."""
    first = psutil.Process(process)
    for one in (first, *first.children(recursive=True)):
        one.kill()
