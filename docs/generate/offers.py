"""docs/targets.md and the table of the README: what each target can do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from examples import api_key, client
from words import NOTICE

from keysteward import (
    KeystewardError,
)
from keysteward.core.contract.capabilities import MANY, BroadScopes, Capabilities
from keysteward.core.contract.facets import key_capabilities
from keysteward.core.contract.ports import Target
from keysteward.core.contract.strategy import Strategy
from keysteward.core.declare.credentials import Secret
from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.spec import strategy_of
from keysteward.operations.kinds import class_of, introduction_of, target_kinds

CAPABILITIES: Final[Mapping[str, str]] = {
    "methods": "authentication methods",
    "secrets": "secrets or keys alive at once, per client or holder",
    "keys": "public keys alive at once, per client",
    "native_slot": "the second secret is a rotated slot that the server fills",
    "named_keys": "key objects under a name we choose",
    "chooses": "who chooses the secret's value",
    "readable": "a secret can be read back",
    "suspends": "a client or key can be disabled, reversibly",
    "by_hand": "a person issues and ends what lives there",
    "lacks": "settings of a client that it has not",
    "one_method_per_client": "one authentication method per client",
    "last_use": "last use is shown per",
    "tags_objects": "clients can carry our mark",
    "tags_secrets": "secrets can carry our mark",
    "assigns_client_id": "the target chooses client_ids itself",
    "audience": "the one audience of all its tokens",
    "scopes_global": "scope names are shared across the target",
    "qualified_scopes": "a scope is named after its audience",
    "immutable": "cannot change on a living secret",
    "list_lag": "a write shows in lists after",
    "propagation": "a write works everywhere after",
    "call_timeout": "a call without answer cannot succeed any more after",
    "longest_overlap": "longest overlap",
    "page_size": "clients per list call",
    "calls_per_object": "calls that observing costs beside pages, for each client or holder",
    "environments": "environments, unless the declaration names some",
    "holders": "holders that take new keys, unless the declaration says which",
    "other_holders": "what is said of any other",
    "shown_holders": "holders that are observed, unless the declaration bounds them",
    "federation": "what it offers in place of a standing secret",
    "broad_scopes": "scopes that KS016 takes for sweeping",
    "safeguards": "switches held at a value",
}

STRATEGIES: Final[Mapping[Strategy, str]] = {
    Strategy.MINT: "A",
    Strategy.NAMED_KEY: "B",
    Strategy.ROTATED_SLOT: "C",
    Strategy.KEY_PAIRS: "D",
    Strategy.ALTERNATE: "E",
    Strategy.GAP: "G",
    Strategy.OWN_VALUE: "H",
    Strategy.BY_HAND: "I",
}

TARGETS: Final[Mapping[str, Target]] = {
    name: class_of(word, point)(**settings)
    for word, point in target_kinds().items()
    for name, settings in introduction_of(word, point).shown.items()
}
"""Every target that a package names, once for each way to declare it that changes what it can do."""


def broad_scopes() -> dict[str, tuple[BroadScopes, ...]]:
    """Return the scopes that targets call sweeping, by the target."""
    offers = {name: (target.capabilities, key_capabilities(target)) for name, target in TARGETS.items()}
    found = {
        name: next((can.broad_scopes for can in cans if can and can.broad_scopes), ()) for name, cans in offers.items()
    }
    return {name.partition(",")[0]: rows for name, rows in found.items() if rows}


def offered(can: Capabilities) -> tuple[str, ...]:
    """Return the letters of the strategies that some declaration gets where a target can do this."""
    if can.by_hand:
        return (STRATEGIES[Strategy.BY_HAND],)
    choices: list[Secret] = [api_key()]
    for method in ("client_secret", "private_key_jwt"):
        choices += [
            client(auth_method=method),
            client(auth_method=method, alternate_clients=True),
            client(auth_method=method, accept_gap=True),
        ]
    letters = set()
    for choice in choices:
        try:
            letters.add(STRATEGIES[strategy_of(choice, can)])
        except KeystewardError:
            continue
    return tuple(sorted(letters))


def _capability(value: object) -> str:
    if value is None or value in ({}, (), ""):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return show_duration(value) if value else "at once"
    if isinstance(value, Mapping):
        return ", ".join(f"`{name}`: {held}" for name, held in value.items())
    if isinstance(value, tuple) and isinstance(value[0], BroadScopes):
        return ", ".join(f"`{scope}`" for row in value for scope in row.scopes)
    if isinstance(value, (tuple, frozenset)):
        return ", ".join(f"`{item}`" for item in sorted(value)) or "-"
    return "any number" if value == MANY else str(value)


def targets() -> str:
    """Return docs/targets.md."""
    names = [field.name for field in dataclasses.fields(Capabilities)]
    if set(names) != set(CAPABILITIES):
        raise AssertionError(f"docs/generate says nothing, or too much, of {sorted(set(names) ^ set(CAPABILITIES))}")
    clients = {name: target.capabilities for name, target in TARGETS.items() if target.capabilities.methods}
    keys = {name: can for name, target in TARGETS.items() if (can := key_capabilities(target)) is not None}
    lines = [
        "# Targets and what they can do",
        "",
        NOTICE,
        "",
        "What is not listed, a target cannot. The letters are those of",
        "[life-of-a-credential.md](life-of-a-credential.md).",
        "",
        "## With M2M clients and their secrets",
        "",
        *_matrix(clients, names),
        *(["", "## With API keys", "", *_matrix(keys, names)] if keys else []),
    ]
    return "\n".join(lines) + "\n"


def _matrix(offers: Mapping[str, Capabilities], names: Iterable[str]) -> list[str]:
    letters = (", ".join(offered(can)) for can in offers.values())
    lines = [
        "| | " + " | ".join(offers) + " |",
        "|---|" + "---|" * len(offers),
        "| strategies | " + " | ".join(letters) + " |",
    ]
    for name in names:
        cells = (_capability(getattr(can, name)) for can in offers.values())
        lines.append(f"| {CAPABILITIES[name]} (`{name}`) | " + " | ".join(cells) + " |")
    return lines


SUMMARY_BEGIN, SUMMARY_END = "<!-- targets: written by docs/generate -->\n", "<!-- /targets -->\n"


def readme() -> str:
    """Return README.md with its table of targets, one row for what a target does with clients and one for keys."""
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    before, rest = text.split(SUMMARY_BEGIN)
    after = rest.split(SUMMARY_END)[1]
    rows = [
        "| target | what | at once | strategies | value chosen by | suspended | last use shown per |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, target in TARGETS.items():
        if target.capabilities.methods:
            rows.append(_summary(name, "M2M clients", target.capabilities))
        if (keys := key_capabilities(target)) is not None:
            rows.append(_summary(name, "API keys", keys))
    return before + SUMMARY_BEGIN + "\n".join(rows) + "\n" + SUMMARY_END + after


def _summary(name: str, what: str, can: Capabilities) -> str:
    at_once = "by hand" if can.by_hand else _capability(can.secrets) + (f", {can.keys} key pairs" if can.keys else "")
    chooser = "a person" if can.by_hand else {"caller": "keysteward", "server": "the target"}[can.chooses]
    use = can.last_use or "-"
    letters = ", ".join(offered(can))
    return f"| {name} | {what} | {at_once} | {letters} | {chooser} | {'yes' if can.suspends else 'no'} | {use} |"
