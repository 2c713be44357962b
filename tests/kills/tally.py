"""Counts kill points over all tests: how many there were, and after how many further runs each had settled."""

from __future__ import annotations

from collections import Counter

COUNTS: dict[str, Counter[int]] = {}
"""For each kind of process that was killed: how many points had settled after so many further runs."""

INTERLEAVINGS: Counter[str] = Counter()
"""How many times two runs met, and how often the first one held the lease then."""


def note(kind: str, settled: Counter[int]) -> None:
    """Count kill points by the number of further runs after which each had settled."""
    COUNTS.setdefault(kind, Counter()).update(settled)


def lines() -> list[str]:
    """Return the figures, one line for each kind and one for all."""
    total = sum(COUNTS.values(), Counter[int]())
    found = [_line(kind, counts) for kind, counts in sorted(COUNTS.items())]
    if COUNTS:
        found.append(_line("kill points", total))
    if INTERLEAVINGS:
        met, leased = INTERLEAVINGS["met"], INTERLEAVINGS["leased"]
        found.append(f"two runs at once: {met} interleavings, {leased} of them against a lease")
    return found


def _line(kind: str, counts: Counter[int]) -> str:
    settled = [f"settled in {runs} run{'' if runs == 1 else 's'}: {count}" for runs, count in sorted(counts.items())]
    return f"{kind}: {counts.total()}, {', '.join(settled)}"
