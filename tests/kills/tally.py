"""Counts kill points over all tests: how many there were, and after how many further runs each had settled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

COUNTS: dict[str, Counter[int]] = {}
"""For each kind of process that was killed: how many points had settled after so many further runs."""

INTERLEAVINGS: dict[str, Counter[str]] = {}
"""For each kind of process beside a run: how often they met, how often the run held the lease, and what came back."""

MOST_RUNS = 2


def note(kind: str, settled: Counter[int]) -> None:
    """Count kill points by the number of further runs after which each had settled."""
    COUNTS.setdefault(kind, Counter()).update(settled)


def meet(kind: str, met: Mapping[str, int]) -> None:
    """Count interleavings of a run with another process."""
    INTERLEAVINGS.setdefault(kind, Counter()).update(met)


def lines() -> list[str]:
    """Return the figures as a table: one line for each kind, then all of them."""
    found = []
    if COUNTS:
        runs = range(1, MOST_RUNS + 1)
        rows = {**dict(sorted(COUNTS.items())), "all": sum(COUNTS.values(), Counter[int]())}
        found.append(_row("killed at each of", "points", *(f"settled in {n} run{'s' * (n > 1)}" for n in runs)))
        found += [_row(kind, counts.total(), *(counts[n] for n in runs)) for kind, counts in rows.items()]
    if INTERLEAVINGS:
        columns = ("met", "against a lease", "came back")
        rows_of = {**dict(sorted(INTERLEAVINGS.items())), "all": sum(INTERLEAVINGS.values(), Counter[str]())}
        found.append(_row("beside each request of a run", *columns))
        found += [_row(kind, *(counts[name] for name in columns)) for kind, counts in rows_of.items()]
    return found


def _row(name: str, *cells: object) -> str:
    return f"{name:<44}" + "".join(f"{cell!s:>20}" for cell in cells)
