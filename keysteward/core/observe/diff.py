"""The one comparison of declared and observed settings, field by field. Written once, used by every target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from keysteward.core.contract.observed import Settings

METHOD = "method"
"""Shown as drift, and never mended by an update, which would end the present secret: a new generation sets it."""

SETS = frozenset({"scopes", "optional_scopes", "grants"})
DESCRIPTION = "description"
LABELS = {"optional_scopes": "optional scopes", "token_lifetime": "token lifetime", METHOD: "authentication method"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of the settings that differs, or one safeguard. `widens`: the declared value allows more.

    Of sets `declared` says what is to be added and taken away: "+invoices:write -invoices:read".
    """

    field: str
    observed: str
    declared: str
    widens: bool = False
    safeguard: bool = False

    @property
    def label(self) -> str:
        """Return the field as people call it; a safeguard goes by its own name."""
        return self.field if self.safeguard else LABELS.get(self.field, self.field)


def differences(declared: Settings, observed: Settings) -> tuple[Difference, ...]:
    """Compare settings; what is not shown counts as equal. Empty when nothing differs."""
    if declared == observed:
        return ()
    found = [
        *_sets("scopes", declared.scopes, observed.scopes),
        *_sets("optional_scopes", declared.optional_scopes, observed.optional_scopes),
        *_sets("grants", declared.grants, observed.grants),
        *_values("token_lifetime", declared.token_lifetime, observed.token_lifetime, _longer),
        *_values(METHOD, declared.method, observed.method, _never),
    ]
    if observed.description is not None:
        found += _values(DESCRIPTION, declared.description, observed.description, _never)
    for name, value in declared.safeguards.items():
        shown = observed.safeguards.get(name)
        if shown is not None:
            found += [replace(one, safeguard=True) for one in _values(name, value, shown, _never)]
    return tuple(found)


def show_differences(found: tuple[Difference, ...]) -> str:
    """Write differences in words: "scopes + invoices:write, token lifetime 300 -> 600"."""
    parts = []
    for difference in found:
        if difference.safeguard or difference.field not in {*SETS, DESCRIPTION}:
            parts.append(f"{difference.label} {difference.observed} -> {difference.declared}")
        elif difference.field == DESCRIPTION:
            parts.append(difference.label)
        else:
            parts.append(f"{difference.label} {difference.declared}")
    return ", ".join(parts)


def changes_of(found: tuple[Difference, ...]) -> tuple[str, ...]:
    """Return what writing these fields changes, one by one: "scopes +invoices:write", "token_lifetime 600"."""
    return tuple(
        f"{difference.field} {change}"
        for difference in found
        for change in (difference.declared.split(" ") if difference.field in SETS else [difference.declared])
    )


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
