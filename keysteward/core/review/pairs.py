"""Which stack of the head is which one of the base: by identity, and only then by the name of the module. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keysteward.core.review.form import Form
from keysteward.core.review.found import Noted, listed
from keysteward.core.review.sorts import Sort


@dataclass(frozen=True, slots=True)
class Pair:
    """One stack on both sides, and the names of its modules there; `before` or `after` is None where it is not."""

    was: str
    name: str
    before: Form | None
    after: Form | None

    @property
    def either(self) -> Form:
        """Return it as one of the sides has it, the head first."""
        form = self.after or self.before
        assert form is not None, "a pair has a side"  # noqa: S101 - for the type checker: pairs are made below
        return form


def paired(base: Mapping[str, Form], head: Mapping[str, Form]) -> list[Pair]:
    """Pair the stacks of two sides, by the names of their modules; every one of them stands in a pair.

    One of the base stands in several when the head declares its identity several times: each is compared with it.
    """
    was = {name: found for name in sorted(head) if (found := _same_identity(name, base, head)) is not None}
    for name in sorted(head.keys() - was.keys()):
        if name in base and name not in was.values():
            was[name] = name
    for name in sorted(head.keys() - was.keys()):
        left = sorted(base.keys() - {*was.values()}, key=lambda other: (-_alike(base[other], head[name]), other))
        if left and _alike(base[left[0]], head[name]):
            was[name] = left[0]
    gone = sorted(base.keys() - {*was.values()})
    pairs = [Pair(was.get(name, name), name, base.get(was.get(name, "")), head[name]) for name in sorted(head)]
    return pairs + [Pair(name, name, base[name], None) for name in gone]


def _same_identity(name: str, base: Mapping[str, Form], head: Mapping[str, Form]) -> str | None:
    """Return the module of the base that declares the stack of one of the head: the same one, or one that moved."""
    identity = head[name].identity
    same = [other for other in sorted(base) if base[other].identity == identity]
    stayed = {other for other in same if other in head and head[other].identity == identity}
    return name if name in same else next((other for other in same if other not in stayed), next(iter(same), None))


def _alike(before: Form, after: Form) -> int:
    """Return how many credentials two stacks have in common."""
    return len({*before.credentials} & {*after.credentials})


def twice(base: Mapping[str, Form], head: Mapping[str, Form]) -> Iterator[tuple[str, Noted]]:
    """Yield the identities that several modules of the head declare and did not before, and what that means."""
    before = _modules(base)
    for identity, names in sorted(_modules(head).items()):
        if len(names) > 1 and names != before.get(identity):
            words = f"the modules {listed(names)} are the same stack: a run of each ends what only the others declare"
            yield identity, Noted(Sort.STACK_TWICE, words)


def _modules(side: Mapping[str, Form]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(side):
        found.setdefault(side[name].identity, []).append(name)
    return found
