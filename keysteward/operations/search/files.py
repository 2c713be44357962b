"""What `keysteward whose` reads: standard input, files and folders, on all processors when it is much."""

from __future__ import annotations

import os
import stat
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO

from keysteward.core.errors import DeclarationError, NotFound, Unavailable
from keysteward.operations.processes import helpers, processors
from keysteward.operations.search.searcher import CHUNK, OVERLAP, Answer, Piece, Searcher

ALONE = 2 * CHUNK
"""Up to so many bytes one process is faster than starting several."""

STDIN = "standard input"

_GIT_STORE = frozenset({"HEAD", "refs", "objects"})
"""What stands beside the compressed objects of a git repository."""


@dataclass
class Sources:
    """What is to be searched, cut into pieces. `left_out` and `problems` fill while it is read."""

    paths: list[Path]
    files: int = 0
    left_out: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def pieces(self) -> Iterator[Piece]:
        """Yield what is to be searched. Raises NotFound for an argument that is no file: it may be the secret."""
        if not all(map(_exists, self.paths)):
            raise NotFound(
                "an argument is neither an option nor a file or folder that exists; it is not repeated here, since a "
                "value must never be an argument (it stays in the shell's history): give it on standard input"
            )
        if not self.paths:
            self.files += 1
            yield from _stream(sys.stdin.buffer, STDIN)
        for path in self.paths:
            if path.is_dir():
                yield from self._folder(path)
            else:
                yield from self._file(path, alone=len(self.paths) == 1)

    def _folder(self, top: Path) -> Iterator[Piece]:
        skipped = 0
        for folder, folders, files in os.walk(top, onerror=self._unreadable):
            if {*folders, *files} >= _GIT_STORE:
                folders.remove("objects")
                skipped += 1
            folders.sort()
            for name in sorted(files):
                path = Path(folder, name)
                if path.is_symlink() or not path.is_file():
                    continue
                yield from self._file(path)
        if skipped:
            self.left_out.append(
                "the compressed history of git (.git/objects); search it with: git log -p --all | keysteward whose"
            )

    def _unreadable(self, error: OSError) -> None:
        self.problems.append(f"a folder cannot be read ({error.strerror})")

    def _file(self, path: Path, *, alone: bool = False) -> Iterator[Piece]:
        self.files += 1
        try:
            about = path.stat()
            if not stat.S_ISREG(about.st_mode):
                with path.open("rb") as stream:
                    yield from _stream(stream, str(path))
                return
        except OSError as error:
            self.problems.append(f"a file cannot be read ({error.strerror})")
            return
        for offset in range(0, max(about.st_size, 1), CHUNK):
            size = min(CHUNK, about.st_size - offset)
            yield Piece(str(path), path, offset=offset, size=size, alone=alone and about.st_size <= CHUNK)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, a folder without right: no file that could be searched
        return False


def _stream(stream: IO[bytes], name: str) -> Iterator[Piece]:
    """Cut a stream into pieces, each with the beginning of the next. Raises DeclarationError for an empty one."""
    held = stream.read(CHUNK + OVERLAP)
    if not held.strip():
        raise DeclarationError(f"{name} is empty: give the value there, or name a file or folder to search")
    first = True
    while held:
        last = len(held) < CHUNK + OVERLAP
        size = len(held) if last else CHUNK
        yield Piece(name, data=held, size=size, alone=first and last)
        held = b"" if last else held[CHUNK:] + stream.read(CHUNK)
        first = False


def search(pieces: Iterable[Piece], searcher: Searcher) -> Iterator[Answer]:
    """Search all pieces and yield their answers in order; with several processes when there is much to read."""
    left = iter(pieces)
    first: list[Piece] = []
    size = 0
    for piece in left:
        first.append(piece)
        size += piece.size
        if size > ALONE:
            break
    if size <= ALONE or processors() == 1:
        yield from map(searcher.answer, chain(first, left))
        return
    try:
        yield from _in_processes(chain(first, left), searcher)
    except BrokenProcessPool:
        raise Unavailable("a process that searched was ended from outside; search less at a time") from None


def _in_processes(pieces: Iterable[Piece], searcher: Searcher) -> Iterator[Answer]:
    """Hand batches to other processes, which get the key through a pipe: it stands in no argument or environment."""
    count = processors()
    with helpers(count, _begin, searcher.recipe) as pool:
        under_way: deque[Future[list[Answer]]] = deque()
        for batch in _batches(pieces):
            under_way.append(pool.submit(_search, batch))
            if len(under_way) > 2 * count:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()


def _batches(pieces: Iterable[Piece], most: int = 256) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += piece.size
        if size >= CHUNK or len(batch) == most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


_searchers: list[Searcher] = []
"""The searcher of this process, when it is one of several."""


def _begin(recipe: tuple[bytes, frozenset[str], frozenset[str]]) -> None:
    _searchers.append(Searcher(*recipe))


def _search(batch: list[Piece]) -> list[Answer]:
    return [_searchers[0].answer(piece) for piece in batch]
