"""A company's inventory of any size, always the same: three targets, teams, partners, and the troubles of real ones."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from keysteward.core.drift.inventory import Coverage, Inventory, InventoryEntry, Standing
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.policy import RULES

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
STACK = "acme/prod"
DAY = timedelta(days=1)

TEAMS = {
    "team-billing": ("billing@example.com", "active"),
    "team-data": ("#data-platform", "active"),
    "team-identity": ("identity@example.com", "active"),
    "team-logistics": ("logistics@example.com", "active"),
    "team-payments": ("#payments-oncall", "active"),
    "team-search": ("search@example.com", "leaving"),
    "team-retired": ("retired@example.com", "gone"),
}
THINGS = ("invoice", "order", "shipment", "refund", "ledger", "catalog", "price", "stock", "customer", "report")
WORK = ("exporter", "importer", "sync", "notifier", "worker", "gateway", "scheduler", "indexer", "reconciler", "api")
PARTNERS = ("reseller", "carrier", "bank", "supplier", "auditor", "courier", "broker", "insurer")
APIS = {
    "billing-api": "https://billing.example.com",
    "orders-api": "https://orders.example.com",
    "catalog-api": "https://catalog.example.com",
}
STANDINGS = (
    (Standing.DECLARED, 62),
    (Standing.GOVERNED, 14),
    (Standing.ALLOWED, 2),
    (Standing.UNDECLARED, 1),
    (Standing.ELSEWHERE, 6),
    (Standing.UNMANAGED, 13),
    (Standing.BUILT_IN, 2),
)


def company(count: int, seed: int = 7) -> Inventory:
    """Return the inventory of a company with so many credentials."""
    chance = random.Random(seed)  # noqa: S311 - the same company each time
    entries = tuple(_entry(chance, number) for number in range(count))
    entries = tuple(sorted(entries, key=lambda entry: (entry.target, entry.name)))
    coverage = tuple(_coverage(target, entries) for target in sorted({entry.target for entry in entries}))
    loose = Finding(
        Kind.UNDECLARED_SCOPE,
        Severity.WARNING,
        "corp: invoices:purge",
        "scope 'invoices:purge' exists at target corp and no ResourceServer declares it",
        "declare it, or delete it at the target",
    )
    return Inventory(NOW, entries, STACK, coverage, (loose,))


def _entry(chance: random.Random, number: int) -> InventoryEntry:
    standing = chance.choices([s for s, _ in STANDINGS], [weight for _, weight in STANDINGS])[0]
    if standing is Standing.GOVERNED or chance.random() < 0.2:
        return _judged(chance, _key(chance, number, standing))
    return _judged(chance, _client(chance, number, standing))


def _client(chance: random.Random, number: int, standing: Standing) -> InventoryEntry:
    name = f"{chance.choice(THINGS)}-{chance.choice(WORK)}-{number:04}"
    api, verb = chance.choice(list(APIS)), chance.choice(("read", "write"))
    scopes = tuple(sorted({f"{api.removesuffix('-api')}:{verb}", f"{chance.choice(THINGS)}s:read"}))
    age = _age(chance, standing)
    login = standing is Standing.UNMANAGED and chance.random() < 0.3
    method = "client_secret" if chance.random() < 0.4 else "private_key_jwt"
    entry = InventoryEntry(
        name=name,
        kind="login client" if login else "M2M client",
        standing=standing,
        target="corp",
        clients=(name,),
        method=method,
        scopes=scopes,
        reaches=(f"{api} ({APIS[api]}): {scopes[0]}",),
        grants=("authorization_code",) if login else ("client_credentials",),
        interactive=login,
        secrets=chance.choices((1, 2), (9, 1))[0],
        created_at=NOW - age - 40 * DAY,
        secret_since=NOW - age,
        last_used=None if chance.random() < 0.3 else NOW - chance.random() * min(age, 120 * DAY),
        enabled=chance.random() > 0.02,
    )
    return _known(chance, entry)


def _key(chance: random.Random, number: int, standing: Standing) -> InventoryEntry:
    partner = chance.choice(PARTNERS)
    key_id = f"api_key_01J{chance.getrandbits(60):015X}"
    age = _age(chance, standing)
    entry = InventoryEntry(
        name=f"{partner}-{chance.choice(THINGS)}-key-{number:04}",
        kind="API key",
        standing=standing,
        target=chance.choice(("customers", "customers", "cloud")),
        label=partner.title(),
        clients=(f"org_01H{chance.getrandbits(48):012X}",),
        key_ids=(key_id,),
        method="api_key",
        scopes=(f"{chance.choice(THINGS)}s:read",),
        secrets=1,
        created_at=NOW - age,
        secret_since=NOW - age,
        last_used=NOW - chance.random() * min(age, 90 * DAY),
        expires=NOW + chance.randrange(5, 700) * DAY if chance.random() < 0.7 else None,
    )
    return _known(chance, entry)


def _age(chance: random.Random, standing: Standing) -> timedelta:
    if standing in {Standing.DECLARED, Standing.GOVERNED}:
        return timedelta(days=chance.randrange(0, 96), hours=chance.randrange(24))
    return timedelta(days=chance.choice((chance.randrange(5, 300), chance.randrange(200, 2_600))))


def _known(chance: random.Random, entry: InventoryEntry) -> InventoryEntry:
    """Add what only a stack knows."""
    if entry.standing in {Standing.DECLARED, Standing.GOVERNED, Standing.ALLOWED}:
        owner = chance.choices(list(TEAMS), (9, 8, 6, 6, 6, 2, 0.4))[0]
        contact, state = TEAMS[owner]
        entry = replace(entry, owner=owner, contact=contact, owner_state=state)
    if entry.standing is not Standing.DECLARED:
        at = f"at target {entry.target} only, by an administrator: disable or delete client {entry.clients[0]}"
        return replace(entry, revoke=(at,))
    thing, work, *_ = entry.name.split("-")
    name = entry.name
    purpose = f"Brings {thing}s from the {thing} service to the warehouse, every night ({work})"
    if entry.kind == "API key":
        purpose = f"Lets the {thing} read {work}s until it has a client of its own"
    return replace(
        entry,
        identity=f"{STACK}/{name}",
        purpose=purpose,
        consumer=f"{thing}-{work}",
        environment=chance.choice(("production", "production", "staging")),
        runbook=f"https://wiki.example.com/runbooks/{thing}" if chance.random() < 0.5 else "",
        next_rotation=NOW - (entry.age(NOW) or DAY) + 96 * DAY,
        reviewed=date(2026, chance.randrange(1, 11), 3),
        delivered_to=(f"secrets:apps/{name}",),
        status="active",
        revoke=(
            f"in an emergency: keysteward revoke {name} --all --reason TEXT; nothing works until it is lifted",
            f"without the ledger store: keysteward revoke {name} --all --target --reason TEXT",
            f"for a new secret now: keysteward reissue {name} --reason TEXT; the old ones end at once",
            f"to end it on a date: write decommission= in its declaration; until then {name} can be enabled again",
            "to end it for good: remove the declaration, then run keysteward up --prune (or pulumi up)",
        ),
    )


def _judged(chance: random.Random, entry: InventoryEntry) -> InventoryEntry:
    """Add what is wrong with it."""
    about = entry.identity or f"{entry.target}: {entry.name}"
    found = []

    def broken(rule: str, severity: Severity, message: str) -> None:
        found.append(Finding(RULES[rule].kind, severity, about, message, RULES[rule].mend, rule))

    age = (entry.age(NOW) or DAY).days
    if entry.standing is Standing.UNMANAGED:
        message = f"{entry.kind} {entry.name!r} exists at target {entry.target} and nobody declares it"
        found.append(Finding(Kind.UNMANAGED, Severity.WARNING, about, message, "declare it, or end it at the target"))
    if age > 210 and entry.standing is not Standing.BUILT_IN:
        words = f"its secret is {age} days old; for an {entry.kind} the rule is 210d at most"
        broken("KS014", Severity.WARNING, words)
    if entry.standing is Standing.DECLARED and chance.random() < 0.03:
        words = "its rotation was due 9 days ago and no run has come since"
        found.append(Finding(Kind.OVERDUE, Severity.WARNING, about, words, "run keysteward up, or see why none runs"))
    if entry.owner_state == "gone":
        broken("KS002", Severity.ERROR, f"owner: {entry.owner!r} is gone, and nobody answers in their place")
    if entry.owner_state == "leaving":
        broken("KS003", Severity.WARNING, f"owner: {entry.owner!r} leaves on 2026-12-18")
    if chance.random() < 0.03:
        broken("KS016", Severity.WARNING, "access: scope 'orders:*' is a wildcard or an administrator's")
    if entry.method == "client_secret" and entry.standing is Standing.DECLARED and chance.random() < 0.4:
        words = "auth_method: it uses a secret, and target corp takes key pairs, which never travel"
        broken("KS022", Severity.NOTE, words)
    return replace(entry, findings=tuple(found))


def _coverage(target: str, entries: tuple[InventoryEntry, ...]) -> Coverage:
    counts = dict.fromkeys(Standing, 0)
    for entry in entries:
        counts[entry.standing] += entry.target == target
    return Coverage(
        target,
        counts[Standing.DECLARED],
        counts[Standing.GOVERNED],
        counts[Standing.ALLOWED],
        counts[Standing.ELSEWHERE],
        counts[Standing.UNMANAGED] + counts[Standing.UNDECLARED],
    )
