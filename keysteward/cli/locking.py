"""The lock of a new repository: the packages that keysteward was tested with, by version and hash.

It is cut out of the lock of keysteward's own tests, which ships with it, so that nothing is asked over the network.
What that cannot hold is the hash of keysteward itself: it is known where pip installed an archive that somebody named,
and else a command has to ask the index for it.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import keysteward

LOCK = "pip-compile --generate-hashes --allow-unsafe --strip-extras requirements.in"
"""The command that makes a lock anew; with --upgrade, with the newest versions."""

NO_HASH = "# no hash yet"
"""What stands behind keysteward's version where its hash is not known: jobs refuse it."""

_SHIPPED = Path(__file__).parent / "templates" / "requirements.lock"
_BLOCK = re.compile(r"^([A-Za-z0-9._-]+)==\S+ \\\n(?: +--hash=.*\n)+((?: +#.*\n)*)", re.MULTILINE)
_PARENT = re.compile(r"^ +#(?: via)? +([A-Za-z0-9._-]+)", re.MULTILINE)
_REQUIRED = re.compile(r"([A-Za-z0-9._-]+)(?:.*;.*\bextra == ['\"]([A-Za-z0-9_-]+)['\"])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Lock:
    """A requirements file, and whether each package in it has a hash."""

    text: str
    whole: bool


def lock(extras: Iterable[str] = (), others: Iterable[tuple[str, str]] = ()) -> Lock:
    """Return the lock of keysteward with these extras, and of others by name and version, without their hashes."""
    wanted = {None, *extras}
    found = [_REQUIRED.match(line) for line in importlib.metadata.requires("keysteward") or ()]
    roots = {_name(match[1]) for match in found if match is not None and match[2] in wanted}
    text, digest = _SHIPPED.read_text(encoding="utf-8"), _own_hash()
    blocks = {_name(block[1]): block for block in _BLOCK.finditer(text)}
    held = set(_reached(roots, {name: {_name(p) for p in _PARENT.findall(block[2])} for name, block in blocks.items()}))
    own = f"keysteward=={keysteward.__version__}"
    first = f"{own}  {NO_HASH}\n" if digest is None else f"{own} \\\n    --hash=sha256:{digest}\n"
    rest = (block[0].removesuffix(block[2]) for name, block in sorted(blocks.items()) if name in held)
    unknown = [f"{name}=={version}  {NO_HASH}\n" for name, version in others]
    whole = digest is not None and roots <= held and not unknown
    return Lock("".join([first, *rest, *unknown]), whole=whole)


def _reached(roots: Iterable[str], parents: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield the roots that are there, and whatever they need in turn."""
    reached: set[str] = set()
    new = {name for name in roots if name in parents}
    while new:
        yield from new
        reached |= new
        new = {name for name, needed_by in parents.items() if name not in reached and needed_by & reached}


def _name(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _own_hash() -> str | None:
    """Return the SHA-256 of the archive from which this keysteward was installed, where pip noted it (PEP 610)."""
    noted = importlib.metadata.distribution("keysteward").read_text("direct_url.json")
    try:
        digest = json.loads(noted or "{}")["archive_info"]["hashes"]["sha256"]
    except (ValueError, KeyError, TypeError):
        return None
    return digest if isinstance(digest, str) and _SHA256.fullmatch(digest) else None
