"""docs/declaration.md: every field of every declaration, with its type, its default and an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from examples import sentence
from words import (
    ALLOWED,
    API_KEY,
    BOOTSTRAP,
    CLIENT,
    CREDENTIAL,
    DELIVERY,
    GOVERNED,
    LIMIT,
    MANUAL,
    NOTICE,
    PERMANENT,
    SCHEDULE,
    SECRET,
    SERVER,
    STACK,
    TRANSITIONAL,
    WAIVER,
    WEBHOOK,
    Words,
)

from keysteward import (
    Allowed,
    ApiKey,
    Bootstrap,
    ClientSecret,
    Delivery,
    Governed,
    Limit,
    M2MClient,
    ManualKey,
    PermanentException,
    ResourceServer,
    RotationSchedule,
    Stack,
    Transitional,
    Waiver,
    Webhook,
)
from keysteward.core.declare.limits import CLIENT_RULES, KEY_RULES
from keysteward.core.declare.schedule import show_duration
from keysteward.report.policy.rules import rules_rows

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
    "Sequence[OwnRule]": "list of functions",
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
    "Day": "`date`",
    "Day | None": "`date`",
    "float": "number",
    "int": "number",
    "int | None": "number",
    "str": "text",
    "str | None": "text",
    "str | Owners": "text, or `Owners`",
    "timedelta | str": '`"7d"` or `timedelta`',
}
"""How an annotation is written for readers; one that is missing here stops the script."""


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
    told: Mapping[str, tuple[type, Mapping[str, Words], list[str]]] = {
        "stack": (Stack, STACK, _all(Stack)),
        "limit": (Limit, LIMIT, _all(Limit)),
        "allowed": (Allowed, ALLOWED, _all(Allowed)),
        "waiver": (Waiver, WAIVER, _all(Waiver)),
        "schedule": (RotationSchedule, SCHEDULE, _all(RotationSchedule)),
        "server": (ResourceServer, SERVER, _all(ResourceServer)),
        "credential": (base, CREDENTIAL, _all(base)),
        "client": (M2MClient, CLIENT, _own(M2MClient, base)),
        "secret": (ClientSecret, SECRET, _own(ClientSecret, base)),
        "api_key": (ApiKey, API_KEY, _key_fields(ApiKey, base)),
        "manual": (ManualKey, MANUAL, _key_fields(ManualKey, base)),
        "transitional": (Transitional, TRANSITIONAL, _all(Transitional)),
        "permanent": (PermanentException, PERMANENT, _all(PermanentException)),
        "bootstrap": (Bootstrap, BOOTSTRAP, _all(Bootstrap)),
        "governed": (Governed, GOVERNED, _all(Governed)),
        "delivery": (Delivery, DELIVERY, _all(Delivery)),
        "webhook": (Webhook, WEBHOOK, _all(Webhook)),
    }
    wrong = {cls.__name__: sorted({*names} ^ {*words}) for cls, words, names in told.values() if {*names} != {*words}}
    if wrong:
        raise AssertionError(f"docs/generate says nothing, or too much, of {wrong}")
    tables = {name: _table(*each) for name, each in told.items()} | {"rules": _rules()}
    return DECLARATION.format(notice=NOTICE, **{name: "\n".join(lines) for name, lines in tables.items()})
