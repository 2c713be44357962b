# ruff: noqa: INP001, S106 - a script beside the pages it writes; a token's lifetime is no password
"""Writes the pages that are read off the code: types, defaults, errors, capabilities, rules, frameworks.

Run it with `make docs`. A test fails when a page is not what this writes, or when a field has no words here.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from keysteward import (
    Allowed,
    ApiKey,
    Bootstrap,
    ClientSecret,
    Delivery,
    Governed,
    KeystewardError,
    Limit,
    M2MClient,
    ManualKey,
    Owner,
    Owners,
    PermanentException,
    ResourceServer,
    RotationSchedule,
    Stack,
    Transitional,
    Waiver,
    Webhook,
)
from keysteward.core.checking import check
from keysteward.core.models import Secret
from keysteward.core.policy.waiving import LONGEST_ALLOWANCE
from keysteward.core.ports import MANY, Capabilities, Strategy, Target
from keysteward.core.rules import CLIENT_RULES, KEY_RULES
from keysteward.core.schedule import show_duration
from keysteward.core.spec import strategy_of
from keysteward.modules.catalog_schema import catalog_schema, owners_schema
from keysteward.providers.aws import ApiGateway, Cognito, Iam
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore
from keysteward.providers.manual import Manual, Probe
from keysteward.providers.workos import WorkOS
from keysteward.report.policy_pages import frameworks_page, rules_page
from keysteward.report.rules import rules_rows
from keysteward.testing.memory import Clock, MemoryTarget

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)
WAIVED_UNTIL: Final = date(2027, 3, 31)

HERE: Final = Path(__file__).parent
NOTICE: Final = "<!-- Written by docs/generate.py; change the code or that file, then run `make docs`. -->"


def keycloak(name: str = "corp", **fields: Any) -> Keycloak:  # noqa: ANN401 - forwarded
    """Return a realm that nobody calls."""
    given = {"url": "https://id.example.com", "realm": "prod", "admin": "env:KEYCLOAK_ADMIN"}
    return Keycloak(name, **{**given, **fields})


CORP: Final = keycloak()
STORE: Final = LocalStore("secrets", root="secrets")
OWNERS: Final = Owners(
    teams={"team-billing": Owner(contact="billing@example.com"), "team-old": Owner(contact="-@-", state="gone")}
)


def schedule(**fields: Any) -> RotationSchedule:  # noqa: ANN401 - forwarded
    """Return a sound schedule with some fields changed."""
    return RotationSchedule(**{"every": "90d", "overlap": "7d", **fields})


def server(name: str = "billing-api", **fields: Any) -> ResourceServer:  # noqa: ANN401 - forwarded
    """Return a sound resource server with some fields changed."""
    scopes = {"invoices:read": "Read invoices", "invoices:write": "Create invoices"}
    return ResourceServer(
        name, **{"target": CORP, "audience": "https://billing.example.com", "scopes": scopes, **fields}
    )


BILLING: Final = server()


def credential(name: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - forwarded
    """Return the fields of a sound credential with some changed."""
    given = {
        "name": name,
        "target": CORP,
        "owner": "team-billing",
        "purpose": "Nightly invoice export",
        "rotation": schedule(),
        "deliver_to": STORE.path("apps/" + name.replace(" ", "-")),
    }
    return {**given, **fields}


def client(name: str = "exporter", **fields: Any) -> M2MClient:  # noqa: ANN401 - forwarded
    """Return a sound client with some fields changed."""
    return M2MClient(
        **credential(name, **{"auth_method": "private_key_jwt", "access": {BILLING: "invoices:read"}, **fields})
    )


def client_secret(name: str = "web-login", **fields: Any) -> ClientSecret:  # noqa: ANN401 - forwarded
    """Return a sound client secret with some fields changed."""
    given = {"client": "web", "accept_gap": True, "rotation": schedule(overlap="0s")}
    return ClientSecret(**credential(name, **{**given, **fields}))


KEYS: Final = MemoryTarget(
    "saas",
    Capabilities(methods=()),
    Clock(),
    Capabilities(("api_key",), secrets=100, named_keys=True, tags_secrets=True),
)
"""A target that issues keys, for the examples."""


def api_key(name: str = "partner", **fields: Any) -> ApiKey:  # noqa: ANN401 - forwarded
    """Return a sound API key with some fields changed."""
    given = {"target": KEYS, "holder": "org-1", "expires": date(2027, 12, 31), "classification": exception()}
    return ApiKey(**credential(name, **{**given, **fields}))


def exception(**fields: Any) -> PermanentException:  # noqa: ANN401 - forwarded
    """Return a sound exception with some fields changed."""
    given = {"justification": "no OAuth there", "risk_accepted_by": "security", "review_by": date(2027, 6, 30)}
    return PermanentException(**{**given, **fields})


CRM: Final = Manual("crm", probe=Probe("https://api.crm.example.com/v1/me"))


def governed(**fields: Any) -> Governed:  # noqa: ANN401 - forwarded
    """Return a sound governed set with some fields changed."""
    given = {"target": KEYS, "owner": "team-billing", "purpose": "Keys that our customers make"}
    return Governed("customer-keys", **{**given, **fields})


def waiver(rule: str, **fields: Any) -> Waiver:  # noqa: ANN401 - forwarded
    """Return a sound waiver of a rule with some fields changed."""
    given = {"reason": "A migration is under way", "approved_by": "security", "until": WAIVED_UNTIL}
    return Waiver(rule, **{**given, **fields})


def allowed(**fields: Any) -> Allowed:  # noqa: ANN401 - forwarded
    """Return a sound allowance with some fields changed."""
    given = {"names": "legacy-*", "target": CORP, "owner": "team-billing", "reason": "Ends with the old shop"}
    return Allowed(**{**given, "until": date(2027, 3, 31), **fields})


def stack(*declarations: Any, **fields: Any) -> Stack:  # noqa: ANN401 - forwarded
    """Return a sound stack, checked."""
    given = {
        "identity": "acme/prod",
        "owners": OWNERS,
        "ledgers": STORE.ledgers(),
        "declarations": [BILLING, *declarations],
    }
    made = Stack(**{**given, **fields})
    check(made, OWNERS, CHECKED_ON)
    return made


def sentence(act: Callable[[], object]) -> str:
    """Return the error that an example raises."""
    try:
        act()
    except KeystewardError as error:
        return " ".join(str(error).split())
    raise AssertionError("this example is not wrong any more; correct it")


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

ALLOWED: Final[Mapping[str, Words]] = {
    "names": Words("shell patterns of client_ids, remote ids, ids and names of keys, and names of scopes"),
    "target": Words("where they are"),
    "owner": Words("who answers for leaving them alone"),
    "reason": Words("why they are left alone"),
    "until": Words("from this day on each of them is a finding again, and so is the entry", "day"),
}

WAIVER: Final[Mapping[str, Words]] = {
    "rule": Words("the number of the rule that it may break", "`KS016`"),
    "reason": Words("why it may"),
    "approved_by": Words("who approved it"),
    "until": Words("from this day on the rule counts again, and the waiver is a finding", "day"),
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
        wrong=lambda: Allowed(target=CORP, owner="team-billing", reason="-", until=date(2027, 3, 31)),
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

DECLARATION: Final = """\
# What can be declared

{notice}

Declarations are plain, frozen values: a stack is read by importing a module, without an engine and without the network.
Unknown fields are errors. The column *an error* holds one sentence that a wrong value gives; every such sentence names
the declaration and the field, and comes before any call.

## Stack

{stack}

`Limit`:

{limit}

`Allowed`: what exists at a target and is left alone on purpose, neither declared nor governed.

{allowed}

The [owners file](owners.md) is YAML with `teams` and `people`; each name has a `contact`, and may have a state, a
deputy and a name at the forge:

```yaml
unassigned_until: 2027-03-31
teams:
  team-billing: {{contact: billing@example.com}}
people:
  billing-lead: {{contact: billing-lead@example.com, state: leaving, leaves: 2027-01-31, deputy: team-billing}}
consumers:
  warehouse-etl: {{contact: "#warehouse", owner: team-billing}}
  partner-acme: {{contact: it@acme.example.com, kind: partner, state: retiring, retires: 2027-06-30}}
```

## RotationSchedule

{schedule}

## ResourceServer

An API as OAuth 2.0 knows it. A client depends on those it uses.

{server}

## Every credential

Fields of `M2MClient`, `ClientSecret`, `ApiKey` and `ManualKey` alike.

{credential}

`Waiver`: one rule that this credential may break until a day. Its findings become notes that say so.

{waiver}

## M2MClient

A machine-to-machine client (grant `client_credentials`, RFC 6749 section 4.4). Besides the fields of every credential:

{client}

## ClientSecret

The secret of a client that somebody else manages; everything but the secret is left untouched. Besides the fields of
every credential:

{secret}

## ApiKey

A standing bearer secret, at a target that issues API keys. Each generation is a key of its own at the holder; keys of
others there are left alone. Besides the fields of every credential:

{api_key}

`Transitional`: a key on its way out.

{transitional}

`PermanentException`: a key that stays.

{permanent}

`Bootstrap`: a key that is exchanged at the first start.

{bootstrap}

## ManualKey

A key at a system without an API for keys: a person makes and ends it there, `keysteward deliver NAME` takes the new
value from standard input; see [manual.md](manual.md). Its `target` is a `keysteward.providers.manual.Manual`. Besides
the fields of every credential:

{manual}

## Governed

Keys that others make, as an organization's own customers do: counted, judged and reported in previews, never changed.

{governed}

## Rules of the two kinds

M2M clients get short-lived tokens; an API key is itself what every call carries, and is treated more strictly.
`keysteward rules` prints this table. These limits, and what else is judged, are held by the numbered rules:
[rules.md](rules.md) says for each why, what breaks it, what it counts as and how it is waived.

{rules}

## Delivery

A place in a store. Write `store.path("apps/billing", fields=..., take_over=..., webhook=...)`.

{delivery}

`Webhook`, which [stores.md](stores.md#webhooks) describes:

{webhook}

What stores and targets themselves take is said in [stores.md](stores.md), [keycloak.md](keycloak.md) and
[manual.md](manual.md).
"""

TYPES: Final[Mapping[str, str]] = {
    "Classified": "`Transitional`, `PermanentException` or `Bootstrap`",
    "Classified | None": "`Transitional`, `PermanentException` or `Bootstrap`",
    "Deliveries": "place, or list of places",
    "DeclaredDuration": '`"90d"`, `"12h"`, `"1h30m"` or `timedelta`',
    "DeclaredDuration | None": '`"10m"` or `timedelta`',
    "LedgerStore": "ledger store",
    "Limit": "`Limit`",
    "Mapping[ResourceServer, Names]": "mapping of `ResourceServer` to text or list of text",
    "Mapping[ResourceServer, Names] | None": "mapping of `ResourceServer` to text or list of text",
    "Mapping[str, Level]": "mapping of rule to level",
    "Mapping[str, str]": "mapping of text to text",
    "Method": '`"client_secret"` or `"private_key_jwt"`',
    "Name": "text",
    "Annotated[str, Field(pattern='^KS[0-9]{3}$')]": "text",
    "Names": "text, or list of text",
    "RotationSchedule": "`RotationSchedule`",
    "Sequence[Allowed]": "list of `Allowed`",
    "Sequence[Declaration]": "list of declarations",
    "Sequence[Rule]": "list of functions",
    "Sequence[str]": "list of text",
    "Sequence[Target]": "list of targets",
    "Sequence[SkipValidation[Waiver]]": "list of `Waiver`",
    "SkipValidation[M2MClient] | Text": "`M2MClient`, or its name",
    "SkipValidation[Target]": "target",
    "SkipValidation[Target] | None": "target",
    "Store": "store",
    "Text": "text, not empty",
    "Webhook | None": "`Webhook`",
    "Windows": "text, or list of text",
    "bool": "`True` or `False`",
    "date": "`date`",
    "date | None": "`date`",
    "float": "number",
    "int": "number",
    "int | None": "number",
    "str": "text",
    "str | None": "text",
    "str | Owners": "text, or `Owners`",
    "timedelta | str": '`"7d"` or `timedelta`',
}
"""How an annotation is written for readers; one that is missing here stops the script."""

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
    "Keycloak, stock": keycloak(),
    "Keycloak, `secret_rotation=True`": keycloak(secret_rotation=True),
    "WorkOS": WorkOS("customers", authkit_domain="acme.authkit.app", client_id="client_01", admin="env:WORKOS_ADMIN"),
    "AWS IAM": Iam("accounts", region="eu-central-1"),
    "AWS Cognito": Cognito("machines", user_pool="eu-central-1_Ab12Cd34E", domain="acme"),
    "AWS API Gateway": ApiGateway("gateway", region="eu-central-1"),
    "Manual": CRM,
}
"""Every target that ships, once for each way to declare it that changes what it can do."""


def _fields(cls: type) -> dict[str, tuple[str, str]]:
    """Return type and default of every field, as they are written, by name."""
    pydantic: Mapping[str, Any] = getattr(cls, "__pydantic_fields__", {})
    found = {}
    for field in dataclasses.fields(cls):
        kind = field.type if isinstance(field.type, str) else str(field.type)
        info = pydantic.get(field.name)
        if info is not None:
            required, made = info.is_required(), info.get_default(call_default_factory=True, validated_data={})
        else:
            required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            factory = field.default_factory
            made = factory() if factory is not dataclasses.MISSING else field.default
        found[field.name] = (TYPES[kind], "required" if required else _default(made))
    return found


def _default(value: object) -> str:
    if value is None or value in ({}, ()):
        return "none"
    if isinstance(value, tuple):
        return ", ".join(f'`"{item}"`' for item in value)
    if isinstance(value, timedelta):
        return f'`"{show_duration(value)}"`'
    if isinstance(value, Limit):
        return f"`Limit(count={value.count}, share={value.share})`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _table(cls: type, words: Mapping[str, Words], names: Iterable[str]) -> list[str]:
    fields = _fields(cls)
    lines = ["| field | type | default | meaning | unit | an error |", "|---|---|---|---|---|---|"]
    for name in names:
        kind, default = fields[name]
        said = words[name]
        error = f"`{sentence(said.wrong)}`" if said.wrong else ""
        cells = (f"`{name}`", kind, default, said.meaning, said.unit, error)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def _own(cls: type, base: type) -> list[str]:
    inherited = {field.name for field in dataclasses.fields(base)}
    return [field.name for field in dataclasses.fields(cls) if field.name not in inherited]


def _key_fields(cls: type, base: type) -> list[str]:
    """Return the fields of a key's own, and `expires`, which every credential has and a key must."""
    return ["expires", *_own(cls, base)]


def _rules() -> list[str]:
    heads = [CLIENT_RULES.kind, KEY_RULES.kind]
    lines = ["| rule | " + " | ".join(heads) + " |", "|---|---|---|"]
    return [*lines, *(f"| {name} | " + " | ".join(words) + " |" for name, words in rules_rows())]


def _all(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def declaration() -> str:
    """Return docs/declaration.md."""
    base = M2MClient.__mro__[1]
    shared = _all(base)
    missing = {
        cls.__name__: sorted(set(names) ^ set(words))
        for cls, names, words in (
            (RotationSchedule, _all(RotationSchedule), SCHEDULE),
            (ResourceServer, _all(ResourceServer), SERVER),
            (base, shared, CREDENTIAL),
            (M2MClient, _own(M2MClient, base), CLIENT),
            (ClientSecret, _own(ClientSecret, base), SECRET),
            (ApiKey, _key_fields(ApiKey, base), API_KEY),
            (ManualKey, _key_fields(ManualKey, base), MANUAL),
            (Transitional, _all(Transitional), TRANSITIONAL),
            (PermanentException, _all(PermanentException), PERMANENT),
            (Bootstrap, _all(Bootstrap), BOOTSTRAP),
            (Governed, _all(Governed), GOVERNED),
            (Allowed, _all(Allowed), ALLOWED),
            (Waiver, _all(Waiver), WAIVER),
            (Stack, _all(Stack), STACK),
            (Delivery, _all(Delivery), DELIVERY),
            (Webhook, _all(Webhook), WEBHOOK),
            (Limit, _all(Limit), LIMIT),
            (Waiver, _all(Waiver), WAIVER),
            (Allowed, _all(Allowed), ALLOWED),
        )
        if set(names) != set(words)
    }
    if missing:
        raise AssertionError(f"docs/generate.py says nothing, or too much, of {missing}")
    tables = {
        "stack": _table(Stack, STACK, _all(Stack)),
        "limit": _table(Limit, LIMIT, _all(Limit)),
        "allowed": _table(Allowed, ALLOWED, _all(Allowed)),
        "waiver": _table(Waiver, WAIVER, _all(Waiver)),
        "schedule": _table(RotationSchedule, SCHEDULE, _all(RotationSchedule)),
        "server": _table(ResourceServer, SERVER, _all(ResourceServer)),
        "credential": _table(base, CREDENTIAL, shared),
        "client": _table(M2MClient, CLIENT, _own(M2MClient, base)),
        "secret": _table(ClientSecret, SECRET, _own(ClientSecret, base)),
        "api_key": _table(ApiKey, API_KEY, _key_fields(ApiKey, base)),
        "manual": _table(ManualKey, MANUAL, _key_fields(ManualKey, base)),
        "transitional": _table(Transitional, TRANSITIONAL, _all(Transitional)),
        "permanent": _table(PermanentException, PERMANENT, _all(PermanentException)),
        "bootstrap": _table(Bootstrap, BOOTSTRAP, _all(Bootstrap)),
        "governed": _table(Governed, GOVERNED, _all(Governed)),
        "rules": _rules(),
        "delivery": _table(Delivery, DELIVERY, _all(Delivery)),
        "webhook": _table(Webhook, WEBHOOK, _all(Webhook)),
    }
    return DECLARATION.format(notice=NOTICE, **{name: "\n".join(lines) for name, lines in tables.items()})


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
    if isinstance(value, (tuple, frozenset)):
        return ", ".join(f"`{item}`" for item in sorted(value)) or "-"
    return "any number" if value == MANY else str(value)


def targets() -> str:
    """Return docs/targets.md."""
    names = [field.name for field in dataclasses.fields(Capabilities)]
    if set(names) != set(CAPABILITIES):
        raise AssertionError(f"docs/generate.py says nothing, or too much, of {sorted(set(names) ^ set(CAPABILITIES))}")
    clients = {name: target.capabilities for name, target in TARGETS.items() if target.capabilities.methods}
    keys = {name: can for name, target in TARGETS.items() if (can := target.key_capabilities) is not None}
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


SUMMARY_BEGIN, SUMMARY_END = "<!-- targets: written by docs/generate.py -->\n", "<!-- /targets -->\n"


def readme() -> str:
    """Return README.md with its table of targets, one row for what a target does with clients and one for keys."""
    text = (HERE.parent / "README.md").read_text(encoding="utf-8")
    before, rest = text.split(SUMMARY_BEGIN)
    after = rest.split(SUMMARY_END)[1]
    rows = [
        "| target | what | at once | strategies | value chosen by | suspended | last use shown per |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, target in TARGETS.items():
        if target.capabilities.methods:
            rows.append(_summary(name, "M2M clients", target.capabilities))
        if target.key_capabilities is not None:
            rows.append(_summary(name, "API keys", target.key_capabilities))
    return before + SUMMARY_BEGIN + "\n".join(rows) + "\n" + SUMMARY_END + after


def _summary(name: str, what: str, can: Capabilities) -> str:
    at_once = "by hand" if can.by_hand else _capability(can.secrets) + (f", {can.keys} key pairs" if can.keys else "")
    chooser = "a person" if can.by_hand else {"caller": "keysteward", "server": "the target"}[can.chooses]
    use = can.last_use or "-"
    letters = ", ".join(offered(can))
    return f"| {name} | {what} | {at_once} | {letters} | {chooser} | {'yes' if can.suspends else 'no'} | {use} |"


IN_YAML: Final[Mapping[str, str]] = {
    "target": "the name of a target that the stack gives to the catalog",
    "deliver_to": "one or several places: store:path, or a mapping of store and path; {name} stands for the name",
    "access": "resource server, by name, to scopes that every token or key has",
    "optional_access": "resource server, by name, to scopes that a token has when it asks for them",
    "ceiling": "resource server, by name, to permissions: all that any of them may be allowed",
    "classification": "why it is no M2M client: transitional, permanent_exception or bootstrap, exactly one",
    "waivers": "the numbered rules that it may break, each with a reason, who approved it, and a last day",
    "migrate_to": "the name of the M2M client that takes over",
    "proven_by": "the name of a manual target whose probe proves each key, where its target can prove none",
}
"""What is said of a field that is written in another way in a catalog file than in Python."""

FORMS: Final[Mapping[str, Mapping[str, Words]]] = {
    "ResourceServer": SERVER,
    "M2MClient": {**CREDENTIAL, **CLIENT},
    "ClientSecret": {**CREDENTIAL, **SECRET},
    "ApiKey": {**CREDENTIAL, **API_KEY},
    "ManualKey": {**CREDENTIAL, **MANUAL},
    "Governed": GOVERNED,
    "Allowed": ALLOWED,
    "RotationSchedule": SCHEDULE,
    "Waiver": WAIVER,
    "Transitional": TRANSITIONAL,
    "PermanentException": PERMANENT,
    "Bootstrap": BOOTSTRAP,
    "DeliveryForm": DELIVERY,
    "WebhookForm": WEBHOOK,
    "Defaults": {**API_KEY, **CLIENT, **CREDENTIAL},
}


def catalog() -> str:
    """Return the JSON Schema of a catalog file, with the words of these pages."""
    words = {
        form: {name: IN_YAML.get(name, _for_an_editor(said)) for name, said in fields.items()}
        for form, fields in FORMS.items()
    }
    return json.dumps(catalog_schema(words), indent=2) + "\n"


def _for_an_editor(said: Words) -> str:
    """Return the words of a field as plain text, with the values of YAML."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", said.meaning)
    return text.replace("`True`", "true").replace("`", "")


def owners() -> str:
    """Return the JSON Schema of the owners file."""
    return json.dumps(owners_schema(), indent=2) + "\n"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "../keysteward/schemas/catalog.schema.json": catalog,
    "../keysteward/schemas/owners.schema.json": owners,
    "declaration.md": declaration,
    "targets.md": targets,
    "rules.md": lambda: rules_page(NOTICE, WAIVED_UNTIL),
    "frameworks.md": lambda: frameworks_page(NOTICE),
    "../README.md": readme,
}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
