"""Shortens a scenario that breaks something, while it still breaks the same thing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from sim_scenario import Action, Scenario
from sim_world import play

TRIES = 600


def kind_of(broken: str) -> str:
    """Return what broke without its names and numbers."""
    return re.sub(r"[\d:.,'\[\]{}-]+|\b(run|c|key|sec|kid|minted|secret|stranger)\b", "", broken)[:80]


def shrink(scenario: Scenario, broken: str, tries: int = TRIES) -> Scenario:
    """Return the shortest scenario found that breaks the same."""
    wanted, left = kind_of(broken), tries

    def still(actions: tuple[Action, ...], credentials: int) -> bool:
        nonlocal left
        left -= 1
        candidate = replace(scenario, actions=actions, credentials=credentials)
        _, found = play(candidate)
        return found is not None and kind_of(found) == wanted

    credentials = scenario.credentials
    while credentials > 1 and still(scenario.actions, credentials - 1):
        credentials -= 1
    actions = _without_chunks(scenario.actions, lambda a: still(a, credentials), lambda: left > 0)
    for index, action in enumerate(actions):
        for field in ("faults", "other"):
            for fault in getattr(action, field):
                fewer = tuple(f for f in getattr(actions[index], field) if f != fault)
                changed = (*actions[:index], replace(actions[index], **{field: fewer}), *actions[index + 1 :])
                if left > 0 and still(changed, credentials):
                    actions = changed
    return replace(scenario, actions=actions, credentials=credentials)


def _without_chunks(
    actions: tuple[Action, ...], still: Callable[[tuple[Action, ...]], bool], more: Callable[[], bool]
) -> tuple[Action, ...]:
    size = len(actions) // 2
    while size >= 1:
        start = 0
        while start < len(actions) and more():
            fewer = actions[:start] + actions[start + size :]
            if still(fewer):
                actions = fewer
            else:
                start += size
        size //= 2
    return actions
