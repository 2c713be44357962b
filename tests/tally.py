"""What a run of tests tells above pytest's last line, beside its real parts: what the long proofs counted.

Tests note it in whatever process they run; `handed_over` and `take_over` bring it from a worker to the one that prints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

KILLED: dict[str, Counter[int]] = {}
"""For each kind of process that was killed: how many points had settled after so many further runs."""

MET: dict[str, Counter[str]] = {}
"""For each kind of process beside a run: how often they met, how often the run held the lease, and what came back."""

PLAYED: list[str] = []
"""What the simulation played, what happened, and what was excused."""

MOST_RUNS = 2

HandedOver = tuple[dict[str, dict[int, int]], dict[str, dict[str, int]], list[str]]


def note(kind: str, settled: Mapping[int, int]) -> None:
    """Count kill points by the number of further runs after which each had settled."""
    KILLED.setdefault(kind, Counter()).update(settled)


def meet(kind: str, met: Mapping[str, int]) -> None:
    """Count interleavings of a run with another process."""
    MET.setdefault(kind, Counter()).update(met)


def play(report: str) -> None:
    """Keep what a simulation reports."""
    PLAYED.append(report)


def handed_over() -> HandedOver:
    """Return what was noted in this process, as plain values."""
    return {k: dict(v) for k, v in KILLED.items()}, {k: dict(v) for k, v in MET.items()}, PLAYED


def take_over(noted: HandedOver) -> None:
    """Add what was noted in another process."""
    killed, met, played = noted
    for kind, settled in killed.items():
        note(kind, settled)
    for kind, counts in met.items():
        meet(kind, counts)
    PLAYED.extend(played)


def sections() -> dict[str, list[str]]:
    """Return what there is to tell, by title."""
    told = {"real kills": _kills(), "simulation": "\n".join(PLAYED).splitlines()}
    return {title: lines for title, lines in told.items() if lines}


def _kills() -> list[str]:
    """Return the figures as a table: one line for each kind, then all of them."""
    found = []
    if KILLED:
        runs = range(1, MOST_RUNS + 1)
        rows = {**dict(sorted(KILLED.items())), "all": sum(KILLED.values(), Counter[int]())}
        found.append(_row("killed at each of", "points", *(f"settled in {n} run{'s' * (n > 1)}" for n in runs)))
        found += [_row(kind, counts.total(), *(counts[n] for n in runs)) for kind, counts in rows.items()]
    if MET:
        columns = ("met", "against a lease", "came back")
        rows_of = {**dict(sorted(MET.items())), "all": sum(MET.values(), Counter[str]())}
        found.append(_row("beside each request of a run", *columns))
        found += [_row(kind, *(counts[name] for name in columns)) for kind, counts in rows_of.items()]
    return found


def _row(name: str, *cells: object) -> str:
    return f"{name:<44}" + "".join(f"{cell!s:>20}" for cell in cells)
