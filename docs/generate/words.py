"""What the pages say of each field of a declaration."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from examples import (
    BILLING,
    CORP,
    CRM,
    STORE,
    allowed,
    api_key,
    client,
    client_secret,
    credential,
    exception,
    governed,
    keycloak,
    schedule,
    server,
    stack,
    waiver,
)

from keysteward import (
    Allowed,
    ManualKey,
    Transitional,
    Webhook,
)
from keysteward.core.declare.schedule import show_duration
from keysteward.core.policy.waivers import LONGEST_ALLOWANCE

NOTICE: Final = "<!-- Written by docs/generate; change the code or that folder, then run `make docs`. -->"


@dataclass(frozen=True)
class Words:
    """What is said of one field: its meaning, its unit, and an example that is wrong."""

    meaning: str
    unit: str = ""
    wrong: Callable[[], object] | None = None


SCHEDULE: Final[Mapping[str, Words]] = {
    "every": Words(
        "how often the secret is replaced; the due date comes earlier by a spread that is fixed for each identity, "
        "less than a tenth of it and than 3 days; at least `1h`",
        "duration",
        lambda: schedule(every="ninety days"),
    ),
    "overlap": Words(
        "how long old and new are both valid; shorter than `every`", "duration", lambda: schedule(overlap="90d")
    ),
    "windows": Words(
        "maintenance windows: new generations and retirements begin only inside one, unless late by more than a tenth "
        "of `every`; repairs and rollbacks ignore them",
        "`Sun 02:00-04:00 Europe/Berlin`, or `daily`",
        lambda: schedule(windows="Sunday night"),
    ),
    "retire_when_unused_for": Words(
        "after its overlap an old secret ends only once the target shows that it was not used for so long. Only where "
        "the target shows the last use of each secret, or of each client with `alternate_clients`",
        "duration",
        lambda: stack(client(rotation=schedule(retire_when_unused_for="14d"))),
    ),
    "report_after": Words(
        "with `retire_when_unused_for`: an old secret that is still used so long after its overlap is a finding",
        "duration",
        lambda: schedule(report_after="a while"),
    ),
}

SERVER: Final[Mapping[str, Words]] = {
    "name": Words(
        "its name in the stack and in the mark; letters, digits and `_.-`, at most 120",
        wrong=lambda: server("billing api"),
    ),
    "target": Words(
        "where it is declared",
        wrong=lambda: stack(client(access={BILLING: "invoices:read"}, target=dataclasses.replace(CORP, name="other"))),
    ),
    "audience": Words("the `aud` its tokens carry (RFC 8707, RFC 9068)", wrong=lambda: server(audience="")),
    "scopes": Words(
        "scope to description; at least one. Where scope names are shared across a target (Keycloak), two servers may "
        "not share one",
        wrong=lambda: stack(server("payments-api", scopes={"invoices:read": "Read"})),
    ),
    "adopt": Words("`True` takes over scopes of these names that exist without a mark"),
    "previously": Words(
        "old names, so that a rename is not a deletion",
        wrong=lambda: stack(server("old", scopes={"a": "A"}), server("new", scopes={"b": "B"}, previously="old")),
    ),
}

CREDENTIAL: Final[Mapping[str, Words]] = {
    "name": Words(
        "its name; with the stack's identity it is the identity that marks, ledgers and Pulumi's ids carry",
        wrong=lambda: client("billing exporter"),
    ),
    "target": Words("the realm, tenant or account that issues it"),
    "owner": Words("a team or person of the owners file, not `gone`", wrong=lambda: stack(client(owner="team-x"))),
    "purpose": Words(
        "what it is for, in words; it becomes part of the description at the target", wrong=lambda: client(purpose=" ")
    ),
    "rotation": Words("when it is replaced", wrong=lambda: stack(client(auth_method="client_secret", accept_gap=True))),
    "deliver_to": Words(
        "one or several places, as `store.path(...)` gives them; two credentials cannot share one",
        wrong=lambda: stack(client(), client("mailer", deliver_to=STORE.path("apps/exporter"))),
    ),
    "environment": Words(
        "what it serves; a target may be limited to some. `production` is treated with most care",
        wrong=lambda: stack(
            client(environment="test", access={}, target=keycloak("lab", environments=("production",)))
        ),
    ),
    "consumer": Words("what uses it"),
    "runbook": Words("where it says what to do with it"),
    "reviewed": Words("the day of the last attested review", "day", lambda: client(reviewed="spring")),
    "expires": Words(
        "the day (00:00 UTC) from which it must not work any more: it is suspended then, or where the target cannot, "
        "its generations are retired. No generation begins whose overlap would reach past it",
        "day",
        lambda: client(expires="never"),
    ),
    "decommission": Words(
        "the day (00:00 UTC) on which it is suspended; nothing new begins from now on, and seven days after it "
        "removing the declaration deletes it without further permission",
        "day",
        lambda: client(decommission="soon"),
    ),
    "previously": Words(
        "old names, so that a rename is not a deletion",
        wrong=lambda: stack(client(), client("mailer", previously="exporter")),
    ),
    "retire_adopted": Words(
        "`True` lets adopted secrets end by the schedule; else they stay until a person knows they are unused"
    ),
    "accept_gap": Words(
        "`True` accepts that the old secret ends in the moment the new one is set (strategy G); the overlap must be 0",
        wrong=lambda: stack(client(auth_method="client_secret", accept_gap=True)),
    ),
    "waivers": Words(
        "`Waiver(rule, reason=, approved_by=, until=)` for each numbered [rule](rules.md) that it may break",
        wrong=lambda: stack(client(waivers=[waiver("KS001")])),
    ),
}

CLIENT: Final[Mapping[str, Words]] = {
    "access": Words(
        "resource server to scopes that every token carries",
        wrong=lambda: stack(client(access={BILLING: "invoices:delete"})),
    ),
    "optional_access": Words(
        "resource server to scopes that a token carries when it asks for them",
        wrong=lambda: stack(client(optional_access={server("other-api", scopes={"a": "A"}): "a"})),
    ),
    "auth_method": Words(
        "how it authenticates: a client secret, or a signed assertion (RFC 7523)",
        wrong=lambda: stack(client(auth_method="client_secret")),
    ),
    "token_lifetime": Words(
        "how long its access tokens live; the target's default when not given",
        "duration",
        lambda: client(token_lifetime="short"),
    ),
    "client_id": Words(
        "its client_id; the name when not given. Changing it is a move to a new client, with overlap",
        wrong=lambda: stack(client(), client("mailer", client_id="exporter")),
    ),
    "alternate_clients": Words(
        "`True`: two clients take turns (strategy E); the second is `<client_id>-2`",
        wrong=lambda: stack(client(alternate_clients=True)),
    ),
    "adopt": Words(
        "remote id or client_id of a client that exists; only the mark is written, what is not declared stays"
    ),
}

SECRET: Final[Mapping[str, Words]] = {
    "client": Words(
        "remote id or client_id of the client, which somebody else manages", wrong=lambda: client_secret(client="")
    ),
    "auth_method": Words(
        "how that client authenticates", wrong=lambda: stack(client_secret(accept_gap=False, rotation=schedule()))
    ),
}

API_KEY: Final[Mapping[str, Words]] = {
    "holder": Words(
        "whose key it is, in the target's words: an organization, an IAM user, a usage plan",
        wrong=lambda: api_key(holder=""),
    ),
    "expires": Words(
        "required: the day from which it must not work any more", "day", lambda: api_key(expires="next year")
    ),
    "classification": Words(
        "why it is no M2M client: `Transitional`, `PermanentException` or `Bootstrap`, exactly one",
        wrong=lambda: api_key(classification=[exception(), exception()]),
    ),
    "access": Words(
        "resource server to permissions that it has; changed by rotation where a living key cannot change",
        wrong=lambda: stack(api_key(access={BILLING: "invoices:read"})),
    ),
    "narrow_now": Words("`True`: a key that allows more than declared ends without overlap"),
    "proven_by": Words(
        "a `Manual` whose probe proves each key, where its target can prove none; see [manual.md](manual.md)",
        wrong=lambda: stack(api_key(proven_by=CORP)),
    ),
    "adopt": Words("id of a key that exists at the holder; nothing is written to it"),
}

MANUAL: Final[Mapping[str, Words]] = {
    "expires": Words(
        "required: the day from which it must not work any more",
        "day",
        lambda: ManualKey(**credential("crm", target=CRM)),
    ),
    "classification": Words(
        "as for an `ApiKey`, if there is one; from its day on no new value is taken",
        wrong=lambda: ManualKey(**credential("crm", target=CRM, expires=date(2027, 12, 31), classification="no API")),
    ),
}

TRANSITIONAL: Final[Mapping[str, Words]] = {
    "migrate_to": Words(
        "the `M2MClient` of the same stack that takes over, or its name",
        wrong=lambda: stack(api_key(classification=Transitional(migrate_to="nobody", by=date(2027, 1, 31)))),
    ),
    "by": Words("from this day on nothing new is issued", "day"),
    "retire_when_silent_for": Words(
        "the key ends once the client is in use and the key was silent for so long", "duration"
    ),
}

PERMANENT: Final[Mapping[str, Words]] = {
    "justification": Words("why nothing better is possible", wrong=lambda: exception(justification="")),
    "risk_accepted_by": Words("who accepted the risk"),
    "review_by": Words("from this day on nothing new is issued, until a commit renews it", "day"),
}

BOOTSTRAP: Final[Mapping[str, Words]] = {
    "exchanged_for": Words("what its consumer exchanges it for at its first start")
}

GOVERNED: Final[Mapping[str, Words]] = {
    "name": Words("the name of the set"),
    "target": Words("where the keys are", wrong=lambda: stack(governed(target=CORP))),
    "owner": Words("who answers for the set", wrong=lambda: stack(governed(owner="nobody"))),
    "purpose": Words("what these keys are for"),
    "holders": Words("shell patterns of the holders' ids or labels"),
    "holder_kind": Words("the target's word for them, such as `organization` or `user`; any when not given"),
    "keys": Words("shell patterns of the keys' names"),
    "ceiling": Words("resource server to permissions: all that any of them may be allowed"),
    "max_age": Words("how old one may get", "duration"),
    "max_count": Words("how many there may be", "keys"),
}

STACK: Final[Mapping[str, Words]] = {
    "identity": Words(
        "organisation and environment; the first part of every identity", wrong=lambda: stack(identity="acme prod")
    ),
    "owners": Words("path of the owners file, relative to the project, or the owners themselves"),
    "ledgers": Words("the one ledger store, as `store.ledgers(...)` gives it"),
    "declarations": Words(
        "everything that is declared; names are unique", wrong=lambda: stack(client(), client(access={}))
    ),
    "rules": Words(
        "policy rules: each looks at the whole stack and yields findings; one of severity `error` stops it before any "
        "call"
    ),
    "levels": Words(
        'what a numbered [rule](rules.md) counts as in this stack, such as `{"KS016": "error"}`: off, note, warning, '
        "error",
        wrong=lambda: stack(client(), levels={"KS999": "error"}),
    ),
    "allowed": Words(
        "what is knowingly left alone at its targets, each `Allowed` entry until a day",
        wrong=lambda: stack(allowed=[allowed(owner="team-x")]),
    ),
    "heartbeat": Words("when no run came by for longer, drift reports it", "duration"),
    "watched": Words("targets that drift and the inventory look at, whether anything is declared there or not"),
    "beside": Words(
        "identities of other stacks of yours at its targets: in drift, a client with the mark of one of these is a "
        "note, and with that of any other a warning",
        wrong=lambda: stack(client(), beside=["acme/prod"]),
    ),
    "limit": Words(
        "the blast radius: what would end more than `count` credentials and more than `share` of them stops"
    ),
}

WAIVER: Final[Mapping[str, Words]] = {
    "rule": Words("the number of a [rule](rules.md) that is not mandatory", wrong=lambda: waiver("wildcards")),
    "reason": Words("why it may be broken", wrong=lambda: waiver("KS016", reason="")),
    "approved_by": Words("who approved it", wrong=lambda: waiver("KS016", approved_by="")),
    "until": Words(
        "from this day on the rule counts again, and the waiver is a finding",
        "day",
        lambda: waiver("KS016", until="next spring"),
    ),
}

ALLOWED: Final[Mapping[str, Words]] = {
    "names": Words(
        "shell patterns over client_ids, remote ids, ids and names of keys, and names of scopes",
        wrong=lambda: Allowed(target=CORP, owner="team-billing", reason="-", until=date(2027, 3, 31)),  # type: ignore[call-arg]  # which is what is shown
    ),
    "target": Words("where it is"),
    "owner": Words("who answers for leaving it alone", wrong=lambda: stack(allowed=[allowed(owner="team-old")])),
    "reason": Words("why it is left alone", wrong=lambda: allowed(reason="")),
    "until": Words(
        "from this day on what it names is a finding again, and so is the entry; more than "
        f"{show_duration(LONGEST_ALLOWANCE)} away it is one of KS031",
        "day",
        lambda: allowed(until="next spring"),
    ),
}

DELIVERY: Final[Mapping[str, Words]] = {
    "store": Words("the store, filled in by `store.path(...)`"),
    "path": Words("the document's path in the store", wrong=lambda: STORE.path("../secrets")),
    "fields": Words(
        "field of the document to the name its consumer reads",
        wrong=lambda: STORE.path("apps/billing", fields={"password": "PASSWORD"}),
    ),
    "take_over": Words("`True` writes to a place that holds somebody else's document; its other fields survive"),
    "webhook": Words("tells the consumer after each delivery, so that it reloads; no secret is sent"),
}

WEBHOOK: Final[Mapping[str, Words]] = {
    "url": Words(
        "the consumer's address: `https://`, or `http://` on this machine. It is no secret: ledgers and state hold it",
        wrong=lambda: Webhook("http://billing.example.com/reload", "env:RELOAD_KEY"),
    ),
    "key": Words(
        "reference to the signing key: `whsec_` and the base64 of 24 to 64 random bytes",
        '`"env:NAME"` or `"file:/path"`',
        lambda: Webhook("https://billing.example.com/reload", "whsec_..."),
    ),
}

LIMIT: Final[Mapping[str, Words]] = {
    "count": Words("more endings than so many within 24 hours", "credentials"),
    "share": Words("and more than this part of the open ledgers", "0 to 1"),
}
