"""A small company whose stack is declared twice: as it is, and as a pull request would have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.declare.credentials import (
    Allowed,
    ApiKey,
    Bootstrap,
    ClientSecret,
    Declaration,
    Governed,
    M2MClient,
    PermanentException,
    ResourceServer,
    RotationSchedule,
    Transitional,
    Waiver,
)
from keysteward.core.declare.owners import Owners
from keysteward.core.declare.stack import Stack
from keysteward.core.policy.check import check
from keysteward.core.review import Change, Review, review
from keysteward.core.review.form import Form, dump_form, form_of, load_form
from keysteward.testing.memory import Clock, MemoryLedgers, MemoryStore, MemoryTarget

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)

CLIENTS = Capabilities(
    methods=("client_secret", "private_key_jwt"),
    secrets=2,
    keys=16,
    chooses="caller",
    suspends=True,
    last_use="client",
    tags_objects=True,
    safeguards={"full_scope": "false"},
)
KEYS = Capabilities(
    methods=("api_key",),
    secrets=100,
    named_keys=True,
    tags_secrets=True,
    last_use="secret",
    suspends=True,
    immutable=("scopes", "expires"),
)
OWNERS: dict[str, Any] = {
    "teams": {
        "billing": {"contact": "billing@example.com", "forge": "@acme/billing"},
        "orders": {"contact": "orders@example.com", "forge": "@acme/orders"},
        "sec": {"contact": "sec@example.com", "forge": "@acme/security"},
    },
    "people": {"billing-lead": {"contact": "billing-lead@example.com"}},
    "consumers": {"warehouse": {"contact": "w@example.com", "owner": "orders"}, "mailer": {"contact": "m@example.com"}},
    "security": "sec",
}


def owners(**changes: Mapping[str, Any] | str | None) -> Owners:
    """Return the owners file with some entries changed ({"teams": {"billing": None}} drops one)."""
    document = {**OWNERS}
    for part, entries in changes.items():
        if not isinstance(entries, Mapping):
            document[part] = entries
            continue
        merged = {name: {**document.get(part, {}).get(name, {}), **(e or {})} for name, e in entries.items()}
        dropped = {name for name, entry in entries.items() if entry is None}
        document[part] = {n: e for n, e in {**document.get(part, {}), **merged}.items() if n not in dropped}
    return Owners.model_validate(document)


class Side:
    """One side. Ports are made anew, as two processes would."""

    def __init__(self, clients: Capabilities = CLIENTS, keys: Capabilities = KEYS) -> None:
        self.clock = clock = Clock(NOW)
        self.corp = MemoryTarget("corp", clients, clock, keys)
        self.other = MemoryTarget("other", clients, clock, keys)
        self.store, self.second = MemoryStore("secrets"), MemoryStore("second")
        scopes = {"read": "Read", "write": "Write", "admin": "All"}
        self.api = ResourceServer("api", target=self.corp, audience="https://api.example.com", scopes=scopes)
        far = {f"{s}-far": d for s, d in scopes.items()}
        self.far = ResourceServer("far", target=self.other, audience="https://far.example.com", scopes=far)

    def fields(self, name: str, **changes: object) -> dict[str, Any]:
        given = {
            "target": self.corp,
            "owner": "billing",
            "purpose": "Nightly export of invoices",
            "consumer": "warehouse",
            "rotation": RotationSchedule(every="90d", overlap="7d"),
            "deliver_to": self.store.path(f"apps/{name}"),
        }
        return {**given, **changes}

    def client(self, name: str = "exporter", **changes: object) -> M2MClient:
        given = {"access": {self.api: ["read"]}, "auth_method": "private_key_jwt", **changes}
        return M2MClient(name, **self.fields(name, **given))

    def secret(self, **changes: object) -> ClientSecret:
        return ClientSecret("exporter", **self.fields("exporter", **{"client": "web", **changes}))

    def key(self, name: str = "partner", **changes: object) -> ApiKey:
        given = {
            "access": {self.api: ["read"]},
            "holder": "org-1",
            "expires": date(2027, 12, 31),
            "classification": Bootstrap(exchanged_for="a role"),
            **changes,
        }
        return ApiKey(name, **self.fields(name, **given))

    def governed(self, **changes: object) -> Governed:
        given = {"target": self.corp, "owner": "billing", "purpose": "Keys of our customers", **changes}
        return Governed("customers", **given)

    def allowed(self, names: str = "legacy-*", **changes: object) -> Allowed:
        given = {"target": self.corp, "owner": "billing", "reason": "being moved", "until": date(2027, 3, 1), **changes}
        return Allowed(names, **given)

    def form(self, *declared: Declaration, people: Owners | None = None, **fields: object) -> Form:
        """Return the form of a stack, as it comes out of the pipe between two processes."""
        listed, file = people or owners(), fields.pop("file", "owners.yaml")
        rules = fields.pop("own_rules", {})
        ledgers = MemoryLedgers(fields.pop("ledgers", "ledgers"), self.clock)
        stack = Stack(fields.pop("identity", "acme/prod"), listed, ledgers, [self.api, self.far, *declared], **fields)
        made = form_of(stack, listed, check(stack, listed, NOW, strict=False), rules)
        return load_form(dump_form(replace(made, owners_file=file)))


def schedule(**changes: object) -> RotationSchedule:
    return RotationSchedule(**{"every": "90d", "overlap": "7d", **changes})


def exception(**changes: object) -> PermanentException:
    given = {"justification": "no OAuth", "risk_accepted_by": "sec", "review_by": date(2027, 3, 1)}
    return PermanentException(**{**given, **changes})


def transitional(**changes: object) -> Transitional:
    return Transitional(**{"migrate_to": "exporter", "by": date(2027, 3, 1), **changes})


def waiver(rule: str = "KS012", **changes: object) -> Waiver:
    given = {"reason": "a migration", "approved_by": "sec", "until": date(2027, 3, 1)}
    return Waiver(rule, **{**given, **changes})


def compared(before: Form, after: Form) -> Review:
    return review({"prod": before}, {"prod": after}, NOW)


def sorts(changes: Iterable[Change]) -> list[str]:
    return sorted(str(change.sort) for change in changes)
