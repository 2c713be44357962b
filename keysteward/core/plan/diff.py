"""The one comparison of declared and observed settings, field by field. Written once, used by every target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from keysteward.core.contract.observed import Settings

METHOD = "authentication method"
"""Shown as drift, and never mended by an update: it would end the present secret. A new generation sets it again."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs. `widens` says that the declared value allows more than the observed one."""

    field: str
    observed: str
    declared: str
    widens: bool = False


def differences(declared: Settings, observed: Settings) -> tuple[Difference, ...]:
    """Compare settings; what is not shown counts as equal. Empty when nothing differs."""
    if declared == observed:
        return ()
    found = [
        *_sets("scopes", declared.scopes, observed.scopes),
        *_sets("optional scopes", declared.optional_scopes, observed.optional_scopes),
        *_sets("grants", declared.grants, observed.grants),
        *_values("token lifetime", declared.token_lifetime, observed.token_lifetime, _longer),
        *_values(METHOD, declared.method, observed.method, _never),
    ]
    if observed.description is not None:
        found += _values("description", declared.description, observed.description, _never)
    for name, value in declared.safeguards.items():
        shown = observed.safeguards.get(name)
        if shown is not None:
            found.extend(_values(name, value, shown, _never))
    return tuple(found)


def show_differences(found: tuple[Difference, ...]) -> str:
    """Write differences in words: "scopes + invoices:write, token lifetime 300 -> 600"."""
    parts = []
    for difference in found:
        if difference.field in {"scopes", "optional scopes", "grants"}:
            parts.append(f"{difference.field} {difference.declared}")
        elif difference.field == "description":
            parts.append("description")
        else:
            parts.append(f"{difference.field} {difference.observed} -> {difference.declared}")
    return ", ".join(parts).replace(";", ",")  # a semicolon parts the steps of a plan


def _sets(name: str, declared: frozenset[str], observed: frozenset[str]) -> list[Difference]:
    more, less = sorted(declared - observed), sorted(observed - declared)
    words = " ".join([*(f"+{item}" for item in more), *(f"-{item}" for item in less)])
    return [Difference(name, " ".join(sorted(observed)), words, widens=bool(more))] if words else []


def _values(
    name: str, declared: object, observed: object, widens: Callable[[object, object], bool]
) -> list[Difference]:
    if declared == observed:
        return []
    return [Difference(name, _show(observed), _show(declared), widens(declared, observed))]


def _show(value: object) -> str:
    return "default" if value is None else str(value)


def _longer(declared: object, observed: object) -> bool:
    return isinstance(declared, int) and (not isinstance(observed, int) or declared > observed)


def _never(_declared: object, _observed: object) -> bool:
    return False
