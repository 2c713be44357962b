"""Entries and logs for tests of the evidence log: a key that signs, and a forger who has another one."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keysteward.core.audit.chain import Head, Segment, Signing, dump_segment, key_id, load_segment, make_segment
from keysteward.core.audit.verify_log import ExaminedLog, Witness, examine_log
from keysteward.core.record.evidence import Author, Entry

STACK = "acme/demo"
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
AUTHOR = Author("host/boot/1/2/nonce", "billing-lead@example.com", "a" * 40, "keysteward", "sha256:plan")

Documents = dict[int, dict[str, Any]]


def signing(seed: int = 1, token: str | None = None) -> Signing:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return Signing(private.public_key().public_bytes_raw(), private.sign, token)


OURS = signing(1)
FORGER = signing(2)
OUR_KEY = key_id(OURS.public_key)


def entry(number: int, **fields: Any) -> Entry:  # noqa: ANN401 - forwarded
    given: dict[str, Any] = {
        "id": f"entry-{number}",
        "at": START + timedelta(minutes=number),
        "identity": f"{STACK}/billing-exporter",
        "step": "promote",
        "words": f"deliver generation {number}",
        "author": AUTHOR,
        "generation": number,
        "fingerprint": f"k1:{number:016x}",
        "owner": "team-billing",
    }
    return Entry(**{**given, **fields})


def log_of(sizes: Sequence[int], signer: Signing | None = OURS, stack: str = STACK, words: str = "") -> Documents:
    """Return a log whose segments have these numbers of entries."""
    documents: Documents = {}
    head: Head | None = None
    count = 0
    for size in sizes:
        entries = [entry(count + n + 1, **({"words": words} if words else {})) for n in range(size)]
        count += size
        segment = make_segment(stack, head, entries, signer)
        kept = segment if head is None else Segment(segment.head, segment.lines)  # the token once, as a run leaves it
        head = segment.head
        documents[head.number] = dump_segment(kept)
    return documents


def witness(documents: Documents, number: int | None = None, name: str = "the ledger of acme/demo/a") -> Witness:
    return Witness(name, load_segment(documents[number or max(documents)]).head.position)


def examined(
    documents: Documents, witnesses: Iterable[Witness] = (), trusted: Iterable[str] | None = None
) -> ExaminedLog:
    return examine_log(STACK, documents, witnesses, None if trusted is None else set(trusted))


def wrong(documents: Documents, *witnesses: Witness, trusted: Iterable[str] | None = None) -> list[str]:
    return [defect.what.value for defect in examined(documents, witnesses, trusted).defects]


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Yield the path of every value in a document."""
    if isinstance(node, dict | list):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(child, (*path, key))
    else:
        yield path


def altered(documents: Documents, path: tuple[Any, ...], value: object) -> Documents:
    """Return a copy with one value changed; the first part of the path is the segment."""
    made = copy.deepcopy(documents)
    place: Any = made
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return made
