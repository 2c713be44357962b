"""Declarations for what exists: what `keysteward import` writes of one target, decided here. Pure.

What is written adopts and changes nothing: a client keeps its settings, and where a target holds one secret at a time,
the choice is the one after which the present secret stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.facets import key_capabilities
from keysteward.core.contract.observed import ObservedObject, ObservedScope, ObservedSecret
from keysteward.core.contract.ports import Target
from keysteward.core.declare.credentials import NAME
from keysteward.core.declare.limits import CLIENT_RULES, KEY_RULES
from keysteward.core.declare.owners import UNASSIGNED
from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.spec import NO_KEYS
from keysteward.core.declare.stack import second_client_id
from keysteward.core.drift.inventory import Standing
from keysteward.core.drift.survey import MACHINE_GRANT, Seen, Thing

ATTRIBUTE: Final = "attribute:"
"""What a grouping by something that people noted at the target begins with: "attribute:team"."""
SECTIONS: Final = ("resource_servers", "m2m_clients", "client_secrets", "api_keys")
ELSEWHERE_MANAGED: Final = "managed by Terraform"
OVERLAP: Final = timedelta(days=7)
LONGEST_LIFETIME: Final = 10 * 365 * 86400
"""Seconds of a token's life that can be meant."""
OTHER: Final = "other"
SERVERS: Final = "resource-servers"
SEPARATORS: Final = re.compile(r"[-_./:@ ]+")
IMPORTED: Final = "Imported; what it is for is not known yet"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person chose. `until` is the day by which owners are found and exceptions of keys reviewed.

    `managed` are client_ids and remote ids that another tool manages, with where. `written` are the ids that files of
    the folder adopt already, `taken` the names in them, and `servers` the resource server there of each scope.
    """

    today: date
    until: date
    deliver_to: str
    environment: str = "production"
    group_by: str = "prefix"
    select: tuple[str, ...] = ()
    managed: Mapping[str, str] = field(default_factory=dict)
    skip_managed: bool = False
    written: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    servers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """One entry of a catalog file: its section and name, what the target calls it, and its fields as written."""

    section: str
    name: str
    id: str
    fields: Mapping[str, Any]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What exists and is not written, and why."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Intake:
    """What an import comes to. `named` are servers of the stack that entries name, `loose` are scopes kept as found.

    `managed` tells of each client under another tool what became of it; `guessed` are keys whose last day was chosen.
    """

    target: str
    drafts: tuple[Draft, ...]
    skipped: tuple[Skipped, ...] = ()
    named: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    managed: tuple[Skipped, ...] = ()
    guessed: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Return how many entries each section gets."""
        counted = Counter(draft.section for draft in self.drafts)
        return {section: counted[section] for section in SECTIONS if counted[section]}

    @property
    def groups(self) -> dict[str, list[Draft]]:
        """Return the entries by the file they go to; a group of one goes to the file of the others."""
        sizes = Counter(draft.group for draft in self.drafts if draft.section != "resource_servers")
        found: dict[str, list[Draft]] = {}
        for draft in self.drafts:
            alone = draft.section != "resource_servers" and sizes[draft.group] == 1
            found.setdefault(OTHER if alone else draft.group, []).append(draft)
        return dict(sorted(found.items()))


def intake(seen: Seen, target: Target, choices: Choices) -> Intake:
    """Decide what an import of one target writes, from a look at it."""
    return _Intake(seen, target, choices).made()


def fits(thing: Thing, pattern: str) -> bool:
    """Say whether a shell pattern names a thing: by its client_id, remote id or label, a key by its id or name."""
    names = [thing.id, thing.object.client_id, thing.object.remote_id, thing.object.label]
    names += [thing.key.name or ""] if thing.key is not None else []
    return any(fnmatchcase(name, pattern) for name in names if name)


def importable(seen: Seen, target: Target) -> frozenset[str]:
    """Return what people call the things at a target that nobody declares and an import can take."""
    return frozenset(
        _called(target, thing)
        for thing in seen.things
        if thing.target == target.name and thing.standing is Standing.UNMANAGED and not left_out(seen, target, thing)
    )


def _called(target: Target, thing: Thing) -> str:
    item, assigned = thing.object, target.capabilities.assigns_client_id
    if thing.key is not None:
        return thing.key.name or item.label or item.client_id
    return (item.label if assigned else "") or item.client_id


class _Intake:
    def __init__(self, seen: Seen, target: Target, choices: Choices) -> None:
        self.seen = seen
        self.target = target
        self.choices = choices
        sight = seen.targets[target.name]
        self.objects = [item for item in sight.objects if not item.holder]
        self.client_ids = Counter(item.client_id for item in self.objects)
        self.remote_ids = {item.remote_id for item in sight.objects}
        self.scopes = {scope.name: scope for scope in sight.scopes}
        declared = [declaration.name for declaration in seen.stack.declarations]
        specs = [spec.client_id for spec in seen.stack.specs.values()]
        turns = [spec.client_id for spec in seen.stack.specs.values() if spec.strategy.twins]
        self.declared = {*declared, *specs, *(second_client_id(name, 2) for name in turns), *choices.taken}
        self.ids = {*self.declared, *self.client_ids}
        self.names = FreshNames(self.ids)
        self.servers: dict[str, str] = {}
        self.loose: dict[str, None] = {}
        self.named: dict[str, None] = {}
        self.skipped: list[Skipped] = []
        self.managed: list[Skipped] = []
        self.guessed: list[str] = []
        self.holders: set[str] = set()

    def made(self) -> Intake:
        found = [thing for thing in self.seen.things if thing.target == self.target.name and self._wanted(thing)]
        found.sort(key=lambda thing: (thing.object.client_id, thing.id))
        taken = [thing for thing in found if self._takes(thing)]
        servers = list(self._servers(taken))
        drafts = [*servers, *self._one_secret([self._draft(thing) for thing in taken])]
        return Intake(
            self.target.name,
            tuple(drafts),
            tuple(self.skipped),
            tuple(self.named),
            tuple(self.loose),
            tuple(self.managed),
            tuple(self.guessed),
        )

    def _wanted(self, thing: Thing) -> bool:
        return not self.choices.select or any(fits(thing, pattern) for pattern in self.choices.select)

    def _takes(self, thing: Thing) -> bool:
        """Say whether an entry is written; what is left out is noted with its reason."""
        why = self._why_not(thing)
        if why:
            self.skipped.append(Skipped(thing.id, why))
        return not why

    def _why_not(self, thing: Thing) -> str:
        item, key = thing.object, thing.key
        if thing.standing is not Standing.UNMANAGED:
            return {
                Standing.ELSEWHERE: f"is declared as {thing.identity}, by another stack",
                Standing.BUILT_IN: "is built in",
                Standing.UNDECLARED: f"is ours as {thing.identity}; declare that again, or end it"
                if thing.identity is not None
                else "carries a copy of the mark of another one; find out whose it is",
                Standing.GOVERNED: "is governed",
                Standing.ALLOWED: "is allowed",
            }.get(thing.standing, "is declared")
        if {thing.id, item.remote_id} & self.choices.written:
            return "is in the folder already"
        left = left_out(self.seen, self.target, thing)
        if left is not None:
            return left.why
        if key is not None:
            return self._why_no_key(thing, key)
        where = self._managed_at(item.client_id, item.remote_id)
        if where and self.choices.skip_managed:
            self.managed.append(Skipped(thing.id, f"{where}: left out"))
            return ELSEWHERE_MANAGED
        return ""

    def _why_no_key(self, thing: Thing, key: ObservedSecret) -> str:
        where = self._managed_at(key.id)
        if where:
            self.managed.append(Skipped(thing.id, f"{where}: left out, since the key itself is managed there"))
            return ELSEWHERE_MANAGED
        can, holder = key_capabilities(self.target) or NO_KEYS, thing.object.client_id
        if not can.tags_secrets and holder in self.holders:
            return ONE_KEY
        self.holders.add(holder)
        return ""

    def _managed_at(self, *ids: str) -> str:
        return next((where for i in ids if (where := self.choices.managed.get(i))), "")

    def _servers(self, taken: Iterable[Thing]) -> Iterator[Draft]:
        """Yield a resource server for each audience of the scopes that imported things have and nobody declares."""
        known = {
            name: server.name
            for server in self.seen.stack.servers
            if server.target.name == self.target.name
            for name in server.scopes
        }
        known |= self.choices.servers
        self.servers.update(known)
        by_audience: dict[str, dict[str, str]] = {}
        for name in sorted({name for thing in taken for name in _scopes(thing)} - known.keys()):
            scope = self.scopes.get(name)
            audience = self._audience(scope)
            if scope is None or audience is None:
                self.loose[name] = None
            else:
                by_audience.setdefault(audience, {})[name] = scope.description
        for audience, scopes in sorted(by_audience.items()):
            name = self.names.give(re.sub(r"^[a-z]+://", "", audience), "api")
            self.servers.update(dict.fromkeys(scopes, name))
            fields = {"audience": audience, "scopes": scopes, "adopt": True}
            yield Draft("resource_servers", name, audience, fields, SERVERS)

    def _audience(self, scope: ObservedScope | None) -> str | None:
        """Return for which API a scope is; None where it cannot be declared without changing it."""
        if scope is None or scope.built_in or "catalogue" in self.target.capabilities.lacks:
            return None
        if scope.mark is not None and not scope.mark.identity.startswith(f"{self.seen.stack.identity}/"):
            return None
        audience = self.target.capabilities.audience or scope.audience
        written = (scope.name, scope.description, audience or "")
        return audience if audience and all(clean(text) == text for text in written) else None

    def _draft(self, thing: Thing) -> Draft:
        if thing.key is not None:
            return self._key(thing, thing.key)
        item = thing.object
        method = item.settings.method
        where = self._managed_at(item.client_id, item.remote_id)
        own = item.client_id if item.client_id not in self.declared else None
        name = self.names.give(self.called(thing), "client", own=own)
        machine = MACHINE_GRANT in item.settings.grants and not item.interactive and not where
        common: dict[str, Any] = {"purpose": clean(item.settings.description or "") or IMPORTED}
        if method != "client_secret":
            common["auth_method"] = method
        common["rotation"] = self._rotation(self.target.capabilities, CLIENT_RULES.longest_interval)
        if not machine:
            if where:
                became = f"{where}: written as client_secrets, only its secret is taken over"
                self.managed.append(Skipped(thing.id, became))
            return Draft("client_secrets", name, thing.id, {"client": self._ref(item), **common}, self._group(thing))
        fields = {"adopt": self._ref(item), **common}
        for into, scopes in (("access", item.settings.scopes), ("optional_access", item.settings.optional_scopes)):
            access = self._access(scopes)
            fields |= {into: access} if access else {}
        lifetime = item.settings.token_lifetime
        shown = lifetime is not None and "token lifetime" not in self.target.capabilities.lacks
        if lifetime is not None and shown and 0 < lifetime < LONGEST_LIFETIME:
            fields["token_lifetime"] = show_duration(timedelta(seconds=lifetime))
        return Draft("m2m_clients", name, thing.id, fields, self._group(thing))

    def _key(self, thing: Thing, key: ObservedSecret) -> Draft:
        can, item = key_capabilities(self.target) or NO_KEYS, thing.object
        name = self.names.give(key.name or f"{self.called(thing)}-key", "key")
        expires = key.expires_at.date() if key.expires_at is not None else self.choices.today + LONGEST_KEY_LIFE
        if key.expires_at is None:
            self.guessed.append(name)
        fields: dict[str, Any] = {
            "holder": item.client_id,
            "adopt": key.id,
            "purpose": IMPORTED,
            "expires": expires.isoformat(),
            "classification": {
                "permanent_exception": {
                    "justification": "Imported; why it is no M2M client is not known yet",
                    "risk_accepted_by": UNASSIGNED,
                    "review_by": self.choices.until.isoformat(),
                }
            },
            "rotation": self._rotation(can, KEY_RULES.longest_interval),
        }
        access = {} if "catalogue" in can.lacks else self._access(key.scopes or frozenset())
        return Draft("api_keys", name, thing.id, fields | ({"access": access} if access else {}), self._group(thing))

    def _access(self, scopes: Iterable[str]) -> dict[str, list[str]]:
        access: dict[str, list[str]] = {}
        own = {server.name for server in self.seen.stack.servers}
        for scope in sorted(scopes):
            server = self.servers.get(scope)
            if server is not None:
                access.setdefault(server, []).append(scope)
                self.named.update({server: None} if server in own else {})
        return access

    def _rotation(self, can: Capabilities, every: timedelta) -> dict[str, str]:
        overlap = min(OVERLAP, can.longest_overlap or OVERLAP)
        return {"every": show_duration(every), "overlap": show_duration(overlap)}

    def _one_secret(self, drafts: list[Draft]) -> Iterator[Draft]:
        """Choose, where a target holds one secret at a time, the gap of a replacement.

        Its consumers stay the client that they are, with every right that it has. The gap comes only once somebody says
        that they read the delivered secret.
        """
        can = self.target.capabilities
        one = can.secrets <= 1 and not can.native_slot and not can.named_keys
        for draft in drafts:
            if not one or draft.section == "api_keys" or "auth_method" in draft.fields:
                yield draft
            else:
                rotation = {"every": draft.fields["rotation"]["every"]}
                yield replace(draft, fields={**draft.fields, "accept_gap": True, "rotation": rotation})

    def _ref(self, item: ObservedObject) -> str:
        """Return what names a client beyond doubt: its client_id, or the remote id where that is odd or another's."""
        odd = clean(item.client_id) != item.client_id or self.client_ids[item.client_id] > 1
        return item.remote_id if odd or item.client_id in self.remote_ids - {item.remote_id} else item.client_id

    def _group(self, thing: Thing) -> str:
        by = self.choices.group_by
        tagged = by.startswith(ATTRIBUTE)
        text = thing.object.tags.get(by.removeprefix(ATTRIBUTE), "") if tagged else GROUPS[by](thing, self)
        return readable(text).lower() or OTHER

    def called(self, thing: Thing) -> str:
        """Return what people call a thing: where a target assigns client_ids itself, its label."""
        return _called(self.target, thing)

    def audience_of(self, thing: Thing) -> str:
        """Return the resource server of a thing's first scope."""
        return next((self.servers[name] for name in sorted(_scopes(thing)) if name in self.servers), "")


def _prefix(thing: Thing, made: _Intake) -> str:
    return SEPARATORS.split(made.called(thing).strip("-_./:@ "), maxsplit=1)[0]


def _kind(thing: Thing, _: _Intake) -> str:
    if thing.key is not None:
        return "api-keys"
    return "logins" if thing.object.interactive else "machines"


GROUPS: Final[Mapping[str, Callable[[Thing, _Intake], str]]] = {
    "prefix": _prefix,
    "kind": _kind,
    "method": lambda thing, _: "api_key" if thing.key is not None else thing.object.settings.method,
    "audience": lambda thing, made: made.audience_of(thing),
    "holder": lambda thing, _: thing.object.within or thing.object.label if thing.object.holder else "",
}
"""What each way of grouping reads off a thing; "" puts it with the others."""

LONGEST_KEY_LIFE: Final = KEY_RULES.longest_life or timedelta(days=365)


def _scopes(thing: Thing) -> frozenset[str]:
    if thing.key is not None:
        return thing.key.scopes or frozenset()
    return thing.object.settings.scopes | thing.object.settings.optional_scopes


LONGEST_NAME: Final = 100


class FreshNames:
    """Gives each thing a valid name that nothing else has."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def give(self, text: str, otherwise: str, *, own: str | None = None) -> str:
        """Return a name made from a text from elsewhere; `own` is taken by the very thing that gets the name."""
        name = base = readable(text) or otherwise
        number = 1
        while name in self._taken and name != own:
            number += 1
            name = f"{base}-{number}"
        self._taken.add(name)
        return name


def readable(text: str) -> str:
    """Return a text from elsewhere as a valid name: letters, digits and _.- in place of anything else."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", ascii_only).strip("-._")[:LONGEST_NAME].rstrip("-._")
    return name if NAME.fullmatch(name) else ""


def clean(text: str) -> str:
    """Return a text without control characters and without white space around it."""
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co"}
    spaced = "".join(" " if c in "\t\r\n" else c for c in text)
    return "".join(c for c in spaced if unicodedata.category(c) not in hidden).strip()


DECLARABLE: Final = frozenset({"client_secret", "private_key_jwt"})


SECRETLESS: Final = "has no secret (public, bearer-only or SAML)"


ONE_KEY: Final = "belongs to a holder whose other key is declared; one declaration rotates both"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why an import writes no declaration for a thing ("is built in"), and what a person may do with it instead."""

    why: str
    instead: str = "allow it until a day, or end it at the target"


def left_out(seen: Seen, target: Target, thing: Thing) -> LeftOut | None:
    """Say why no import would take a thing that nobody declares; None for one that can be declared."""
    item = thing.object
    if item.built_in:
        return LeftOut("is built in", "allow it until a day, or take its service account away at the target")
    if thing.key is not None:
        tells = (key_capabilities(target) or NO_KEYS).tags_secrets
        return None if tells or (target.name, item.client_id) not in seen.declared_holders else LeftOut(ONE_KEY)
    if item.client_id in seen.logins.get(target.name, ()):
        return LeftOut("is what keysteward itself logs in with", "allow it until a day")
    if item.settings.method in {"none", "saml"}:
        return LeftOut(SECRETLESS)
    if item.settings.method not in DECLARABLE & {*target.capabilities.methods}:
        return LeftOut(f"authenticates by {item.settings.method}, which cannot be declared")
    return None if item.secrets else LeftOut("has neither a secret nor a key")


def advice(seen: Seen, thing: Thing) -> str:
    """Say what to do about a thing that nobody declares: an import only where it would take it."""
    target = seen.stack.targets.get(thing.target)
    left = left_out(seen, target, thing) if target is not None else None
    if left is not None:
        return f"{left.instead}; keysteward import leaves it out, since it {left.why}"
    first = "" if target is not None else f"name target {thing.target} in the stack again, then "
    return f"{first}declare it (keysteward import {thing.target}), allow it until a day, or end it at the target"
