"""Declarations: plain, frozen, typed values that an infra engineer writes and a reviewer reads.

A stack of them is read by importing a module: no engine, no network. Nothing here makes a call or reads a clock.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from datetime import timedelta
from typing import Annotated, TypeVar, dataclass_transform

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SkipValidation, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from keysteward.core.contract.capabilities import Method
from keysteward.core.contract.ports import Target
from keysteward.core.declare.delivery import Delivery
from keysteward.core.declare.schedule import Day, DeclaredDuration, parse_duration, parse_window, show_duration
from keysteward.core.errors import DeclarationError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,119}")
"""Names of declarations: they become part of marks, paths and client_ids."""

SHORTEST_INTERVAL = timedelta(hours=1)
"""A rotation more often than hourly is a token's work, not a secret's."""

_DATE_PROBLEMS = ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact")

_Class = TypeVar("_Class", bound=type)


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, Field))
def declaration(cls: _Class) -> _Class:
    """Make a class a frozen pydantic dataclass whose construction errors are one sentence each."""
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, str_strip_whitespace=True)
    made = pydantic_dataclass(cls, frozen=True, config=config)
    validated = made.__init__

    def __init__(self: object, *args: object, **fields: object) -> None:  # noqa: N807 - replaces the class's own
        try:
            validated(self, *args, **fields)
        except ValidationError as error:
            name = fields.get("name", args[0] if args else "")
            raise DeclarationError("\n".join(_sentences(cls.__name__, name, error))) from None
        except TypeError as error:
            raise DeclarationError(f"{cls.__name__}: {error}") from None

    __init__.__wrapped__ = validated  # type: ignore[attr-defined]
    made.__init__ = __init__  # type: ignore[method-assign]
    return made  # type: ignore[return-value]


def _sentences(kind: str, name: object, error: ValidationError) -> list[str]:
    """Turn each problem pydantic found into "M2MClient 'billing': owner: ..."; input values are never repeated."""
    subject = f"{kind} {name!r}" if isinstance(name, str) and name else kind
    sentences = []
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"] if part != "__init__")
        text = {
            "missing": "is required",
            "missing_argument": "is required",
            "missing_keyword_only_argument": "is required",
            "unexpected_keyword_argument": "is not a field of this declaration",
            "string_too_short": "must not be empty",
            "string_pattern_mismatch": "write the number of a rule, such as KS016",
            **dict.fromkeys(_DATE_PROBLEMS, "is not a date; write for example date(2027, 1, 31)"),
        }.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        sentences.append(f"{subject}: {where}: {text}" if where and where != "0" else f"{subject}: {text}")
    return sentences


def _check_name(value: object) -> object:
    if isinstance(value, str) and not NAME.fullmatch(value):
        raise ValueError("use letters, digits and _.- (at most 120, beginning with a letter or digit)")
    return value


def _as_tuple(value: object) -> object:
    if isinstance(value, (str, Delivery)):
        return (value,)
    return tuple(value) if isinstance(value, (list, tuple)) else value


def _check_windows(value: Sequence[str]) -> Sequence[str]:
    for window in value:
        parse_window(window)
    return value


Name = Annotated[str, BeforeValidator(_check_name)]
Names = Annotated[Sequence[str], BeforeValidator(_as_tuple)]
Windows = Annotated[Names, AfterValidator(_check_windows)]
Text = Annotated[str, Field(min_length=1)]
Deliveries = Annotated[
    SkipValidation[Delivery] | Sequence[SkipValidation[Delivery]], BeforeValidator(_as_tuple), Field(min_length=1)
]


@declaration
class RotationSchedule:
    """How often a secret is replaced, and how long old and new are both valid.

    `every` and `overlap` are durations ("90d", "12h" or timedelta). `windows` are maintenance windows such as
    "Sun 02:00-04:00 Europe/Berlin": new generations and retirements begin only inside one, unless late by more than
    a tenth of `every`. With `retire_when_unused_for` an old secret ends after its overlap only when the target shows
    that it was silent for so long; when it is still used `report_after` its overlap, that is a finding.
    """

    _: KW_ONLY
    every: DeclaredDuration
    overlap: DeclaredDuration = timedelta(0)
    windows: Windows = ()
    retire_when_unused_for: DeclaredDuration | None = None
    report_after: DeclaredDuration = timedelta(days=30)

    def __post_init__(self) -> None:
        every, overlap = parse_duration(self.every), parse_duration(self.overlap)
        if every < SHORTEST_INTERVAL:
            raise ValueError(f"every is {show_duration(every)}; the shortest interval is 1h")
        if overlap >= every:
            raise ValueError(f"overlap ({show_duration(overlap)}) must be shorter than every ({show_duration(every)})")


@declaration
class ResourceServer:
    """An API as OAuth 2.0 knows it: the audience its tokens are for, and the scopes it offers (name to description)."""

    name: Name
    _: KW_ONLY
    target: SkipValidation[Target]
    audience: Text
    scopes: Mapping[str, str] = Field(min_length=1)
    adopt: bool = False
    previously: Names = ()

    def __hash__(self) -> int:
        return hash((self.name, self.audience))


@declaration
class Waiver:
    """One rule that a credential may break until a day, with the reason and who approved it.

    It shows in every review and in drift; from its day on the rule counts again, and the waiver itself is a finding.
    """

    rule: Annotated[str, Field(pattern=r"^KS[0-9]{3}$")]
    _: KW_ONLY
    reason: Text
    approved_by: Text
    until: Day


@declaration
class Credential:
    """What every credential declares: who answers for it, what it is for, where it goes, when it is replaced.

    `owner` is a name of the owners file. `deliver_to` is one or several places (`store.path("...")`).
    `expires` is the day from which it must not work any more; `decommission` the day on which it is suspended, after
    which removing the declaration deletes it. `previously` lists old names, so that a rename is not a deletion.
    `waivers` are the rules that it may break for a time.
    """

    name: Name
    _: KW_ONLY
    target: SkipValidation[Target]
    owner: Text
    purpose: Text
    rotation: RotationSchedule
    deliver_to: Deliveries
    environment: Text = "production"
    consumer: str | None = None
    runbook: str | None = None
    reviewed: Day | None = None
    expires: Day | None = None
    decommission: Day | None = None
    previously: Names = ()
    retire_adopted: bool = False
    accept_gap: bool = False
    waivers: Sequence[SkipValidation[Waiver]] = ()

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Return the places as a tuple, however they were written."""
        return (self.deliver_to,) if isinstance(self.deliver_to, Delivery) else tuple(self.deliver_to)


@declaration
class M2MClient(Credential):
    """A machine-to-machine OAuth 2.0 client (grant `client_credentials`, RFC 6749 section 4.4).

    `access` grants scopes of resource servers always, `optional_access` when a token asks for them.
    `auth_method` is "client_secret" or "private_key_jwt" (RFC 7523). `client_id` is the name unless given,
    or what the target assigns. Where a target holds one secret at a time, choose `auth_method="private_key_jwt"`
    (recommended), `alternate_clients=True` or `accept_gap=True`. `adopt` names the remote id or client_id of a client
    that exists.
    """

    access: Mapping[ResourceServer, Names] = Field(default_factory=dict)
    optional_access: Mapping[ResourceServer, Names] = Field(default_factory=dict)
    auth_method: Method = "client_secret"
    token_lifetime: DeclaredDuration | None = None
    client_id: str | None = None
    alternate_clients: bool = False
    adopt: str | None = None


@declaration
class ClientSecret(Credential):
    """The secret of a client that somebody else manages (a web login client, a client under Terraform).

    `client` is its remote id or client_id. Everything but the secret is left untouched.
    """

    client: Text = Field()
    auth_method: Method = "client_secret"


@declaration
class Transitional:
    """An API key on its way out: its consumer moves to an M2M client by a day, after which the key is not renewed.

    `migrate_to` is that `M2MClient` of the same stack, or its name. With `retire_when_silent_for` the key ends before
    its day: once the client is in use and the key has not been used for so long, where the target shows both.
    """

    _: KW_ONLY
    migrate_to: SkipValidation[M2MClient] | Text
    by: Day
    retire_when_silent_for: DeclaredDuration | None = None

    @property
    def client(self) -> str:
        """Return the name of the client that takes over."""
        return self.migrate_to if isinstance(self.migrate_to, str) else self.migrate_to.name


@declaration
class PermanentException:
    """An API key that stays, since its vendor or consumer knows nothing else; reviewed by a day or not renewed."""

    _: KW_ONLY
    justification: Text
    risk_accepted_by: Text
    review_by: Day


@declaration
class Bootstrap:
    """An API key that is exchanged at the first start of its consumer; `exchanged_for` says for what."""

    _: KW_ONLY
    exchanged_for: Text


Classification = Transitional | PermanentException | Bootstrap
"""Why a standing bearer secret is there at all."""


def _one_classification(value: object) -> object:
    if isinstance(value, (list, tuple, set)):
        raise ValueError("takes exactly one of Transitional, PermanentException and Bootstrap")  # noqa: TRY004
    if not isinstance(value, (Transitional, PermanentException, Bootstrap)):
        raise ValueError(  # noqa: TRY004 - pydantic turns ValueErrors into sentences
            "write Transitional(migrate_to=..., by=...), PermanentException(justification=..., risk_accepted_by=..., "
            "review_by=...) or Bootstrap(exchanged_for=...)"
        )
    return value


Classified = Annotated[SkipValidation[Classification], BeforeValidator(_one_classification)]


@declaration
class ApiKey(Credential):
    """A standing bearer secret at a target that issues API keys.

    `holder` is whose key it is, in the target's words: an organization, an IAM user, a usage plan. `access` grants
    permissions of resource servers. `expires` is required, and so is the reason why it is no M2M client. Each
    generation is a key of its own; what a target cannot change on a living key is changed by rotation, and with
    `narrow_now` a wider key then ends without overlap. `proven_by` is a `keysteward.providers.manual.Manual`, whose
    probe proves a key where its target cannot. `adopt` is the id of a key that exists.
    """

    holder: Text = Field()
    expires: Day = Field()
    classification: Classified = Field()
    access: Mapping[ResourceServer, Names] = Field(default_factory=dict)
    narrow_now: bool = False
    proven_by: SkipValidation[Target] | None = None
    adopt: str | None = None

    @property
    def auth_method(self) -> Method:
        """Return how it authenticates: by itself."""
        return "api_key"


@declaration
class ManualKey(Credential):
    """A key at a system that has no API for keys: a person makes and ends it there, keysteward does the rest.

    `target` is that system, a `keysteward.providers.manual.Manual`, with the HTTP request that proves a key. The new
    value comes in by `keysteward deliver NAME`; the old one has ended once the same request is refused.
    """

    expires: Day = Field()
    classification: Classified | None = None

    @property
    def auth_method(self) -> Method:
        """Return how it authenticates: by itself."""
        return "api_key"


@declaration
class Governed:
    """Keys that others make at a target, which are counted, judged and reported, and never changed.

    `holders` and `keys` select them by shell patterns: holders by their id or label, keys by their name; `holder_kind`
    is the target's word ("organization", "user"). A key that is declared by itself is not among them. `ceiling` is all
    that any of them may be allowed; `max_age` how old one may get, `max_count` how many there may be.
    """

    name: Name
    _: KW_ONLY
    target: SkipValidation[Target]
    owner: Text
    purpose: Text
    holders: Names = ("*",)
    holder_kind: str | None = None
    keys: Names = ("*",)
    ceiling: Mapping[ResourceServer, Names] | None = None
    max_age: DeclaredDuration | None = None
    max_count: int | None = Field(default=None, ge=0)

    @property
    def allowed(self) -> frozenset[str] | None:
        """Return the permissions of the ceiling; None when there is none."""
        if self.ceiling is None:
            return None
        return frozenset(scope for scopes in self.ceiling.values() for scope in scopes)


@declaration
class Allowed:
    """What exists at a target and is knowingly left alone until a day: neither declared nor governed, and no finding.

    `names` are shell patterns over client_ids, remote ids, ids and names of keys, and names of scopes. From the day in
    `until` on each of these is a finding again, and so is the entry.
    """

    names: Names
    _: KW_ONLY
    target: SkipValidation[Target]
    owner: Text
    reason: Text
    until: Day


Secret = M2MClient | ClientSecret | ApiKey | ManualKey
"""Every kind of credential."""

Declaration = ResourceServer | Secret | Governed
"""Everything a stack may hold."""
