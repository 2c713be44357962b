"""What was measured: one object per number, shown as a table and written as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

import keysteward

HIGH = 100.0


def versions(**parts: str) -> dict[str, str]:
    """Return the versions that a number depends on: ours, Python's, and those of the parts that were used."""
    return {"keysteward": keysteward.__version__, "python": platform.python_version(), **parts}


def sdk_version() -> str:
    """Return the version of Pulumi's Python SDK."""
    return version("pulumi")


@dataclass(frozen=True)
class Measurement:
    """One number. `goal` is None where there is none; `target` is what it was measured on."""

    name: str
    value: float
    unit: str
    target: str
    goal: float | None = None
    better: Literal["lower", "higher"] = "lower"
    versions: Mapping[str, str] = field(default_factory=versions)

    @property
    def missed(self) -> bool:
        """Say whether there is a goal and it is not reached."""
        if self.goal is None:
            return False
        return self.value > self.goal if self.better == "lower" else self.value < self.goal


@dataclass(frozen=True)
class Skipped:
    """What was not measured, and why."""

    name: str
    target: str
    reason: str


class Results:
    """Everything measured so far."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.measured: list[Measurement] = []
        self.skipped: list[Skipped] = []

    def add(self, *measured: Measurement) -> None:
        """Enter numbers and tell them, for people who wait."""
        for one in measured:
            self.measured.append(one)
            self._console.print(
                f"  {one.name}: {_number(one.value)} {one.unit}", style="dim", highlight=False, soft_wrap=True
            )

    def skip(self, name: str, target: str, reason: str) -> None:
        """Enter something that was not measured."""
        self.skipped.append(Skipped(name, target, reason))

    def show(self) -> None:
        """Print the table. A missed goal is marked."""
        table = Table("target", "what", "value", "goal", "")
        for one in self.measured:
            goal = "" if one.goal is None else f"{'≤' if one.better == 'lower' else '≥'} {_number(one.goal)}"
            verdict = "" if one.goal is None else "[bold red]MISSED[/]" if one.missed else "[green]reached[/]"
            table.add_row(one.target, one.name, f"{_number(one.value)} {one.unit}", goal, verdict)
        for left in self.skipped:
            table.add_row(left.target, left.name, f"[yellow]skipped: {left.reason}[/]", "", "")
        self._console.print(table)
        missed = sum(one.missed for one in self.measured)
        goals = sum(one.goal is not None for one in self.measured)
        self._console.print(f"{goals - missed} of {goals} goals reached, {missed} missed, {len(self.skipped)} skipped")

    def write(self, path: Path) -> None:
        """Write all numbers as a list of objects."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(one) for one in self.measured], indent=1, ensure_ascii=False) + "\n")


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= HIGH else f"{value:.2f}"
