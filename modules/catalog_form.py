"""What a catalog file may say: one form for each kind of declaration, made from the fields of its Python class.

The forms check what can be seen in the file alone; its JSON Schema is theirs. What one value means
for another (an overlap longer than its interval, a scope that no server offers) is the classes' to check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    StrictBool,
    StrictInt,
    WithJsonSchema,
    create_model,
    model_validator,
)

from keysteward.core.declare.credentials import (
    NAME,
    Allowed,
    ApiKey,
    Bootstrap,
    ClientSecret,
    Governed,
    M2MClient,
    ManualKey,
    PermanentException,
    ResourceServer,
    RotationSchedule,
    Transitional,
    Waiver,
)
from keysteward.core.declare.delivery import DOCUMENT_FIELDS
from keysteward.core.declare.schedule import parse_duration

NAME_RULE: Final = "use letters, digits and _.- (at most 120, beginning with a letter or digit)"
NAME_PATTERN: Final = f"^{NAME.pattern}$"
DAY_PATTERN: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
DURATION_PATTERN: Final = "^([0-9]{1,6}[smhdw])+$"
_PART = r"([A-Za-z0-9_]|\{name\})([A-Za-z0-9_.@-]|\{name\})*"
PATH_PATTERN: Final = f"^{_PART}(/{_PART})*$"
PLACE_PATTERN: Final = f"^[A-Za-z0-9][A-Za-z0-9_.-]*:{_PART}(/{_PART})*$"

RULE_PATTERN: Final = "^KS[0-9]{3}$"

NAME_IN_PATH: Final = "{name}"
"""What stands in a path for the name of the credential."""


class Form(BaseModel):
    """A mapping of a catalog file; unknown fields are refused, and no value is null: what is not said is left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text; put it in quotes")  # noqa: TRY004 - pydantic makes sentences of ValueErrors
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


def _name(value: object) -> str:
    text = _string(value)
    if not NAME.fullmatch(text):
        raise ValueError(NAME_RULE)
    return text


def _day(value: object) -> str:
    try:
        read = date.fromisoformat(str(value))
    except ValueError:
        read = None
    if not isinstance(value, str) or read is None or read.isoformat() != value:
        raise ValueError("is not a date; write for example 2027-01-31")
    return value


def _duration(value: object) -> str:
    parse_duration(value)
    return str(value)


def _path(value: object) -> str:
    if not isinstance(value, str) or not re.search(PATH_PATTERN, value):
        raise ValueError("is not a path; use names of letters, digits and _.@- with / between them")
    return value


def _rule(value: object) -> str:
    if not isinstance(value, str) or not re.search(RULE_PATTERN, value):
        raise ValueError("is not the number of a rule; write for example KS016")
    return value


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, (str, dict)) else value


def _place(value: object) -> object:
    if not isinstance(value, str):
        return value
    store, parted, path = value.partition(":")
    if not parted:
        raise ValueError("write it as store:path, such as secrets:apps/billing")
    return {"store": store, "path": path}


@dataclass(frozen=True)
class _OrText:
    """Says in the JSON Schema that a value may also be written as text of this pattern."""

    pattern: str

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:  # noqa: ANN401 - pydantic's protocol
        return {"anyOf": [{"type": "string", "pattern": self.pattern}, handler(core)]}


class _OrOne:
    """Says in the JSON Schema that one item may stand without its list."""

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:  # noqa: ANN401 - pydantic's protocol
        many = handler(core)
        return {"anyOf": [many["items"], many]}


Text = Annotated[str, PlainValidator(_string), WithJsonSchema({"type": "string", "pattern": r"\S"})]
Named = Annotated[str, PlainValidator(_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})]
Day = Annotated[str, PlainValidator(_day), WithJsonSchema({"type": "string", "format": "date", "pattern": DAY_PATTERN})]
Span = Annotated[str, PlainValidator(_duration), WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})]
PathText = Annotated[str, PlainValidator(_path), WithJsonSchema({"type": "string", "pattern": PATH_PATTERN})]
Texts = Annotated[list[Text], Field(min_length=1), BeforeValidator(_one_or_many), _OrOne()]
Access = dict[Named, Texts]


class WebhookForm(Form):
    """Called after each delivery, so that the consumer reloads; no secret is sent."""

    url: Text
    key: Annotated[Text, Field(description='reference to the key that signs the call, such as "env:RELOAD_KEY"')]


class DeliveryForm(Form):
    """One place: a store and a path in it."""

    store: Annotated[Named, Field(description="name of a store that the stack gives to the catalog")]
    path: Annotated[PathText, Field(description="path in the store; {name} stands for the name")]
    fields: Annotated[
        dict[Literal[DOCUMENT_FIELDS], Text],  # type: ignore[valid-type]  # a tuple of texts is what it takes
        Field(description="field of the delivered document to the name that its consumer reads"),
    ] = {}
    take_over: StrictBool = False
    webhook: WebhookForm = None  # type: ignore[assignment]  # not said


Place = Annotated[DeliveryForm, BeforeValidator(_place), _OrText(PLACE_PATTERN)]
Places = Annotated[list[Place], Field(min_length=1), BeforeValidator(_one_or_many), _OrOne()]

TYPES: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("target", "proven_by", "migrate_to"), Named),
    **dict.fromkeys(("reviewed", "expires", "decommission", "until", "by", "review_by"), Day),
    **dict.fromkeys(("token_lifetime", "max_age", "every", "overlap", "report_after"), Span),
    **dict.fromkeys(("retire_when_unused_for", "retire_when_silent_for"), Span),
    **dict.fromkeys(("previously", "holders", "keys", "names", "windows"), Texts),
    **dict.fromkeys(("retire_adopted", "accept_gap", "alternate_clients", "narrow_now"), StrictBool),
    **dict.fromkeys(("access", "optional_access", "ceiling"), Access),
    **dict.fromkeys(("owner", "purpose", "environment", "consumer", "runbook", "client_id", "adopt", "client"), Text),
    **dict.fromkeys(("holder", "holder_kind", "audience", "reason", "approved_by", "justification"), Text),
    **dict.fromkeys(("risk_accepted_by", "exchanged_for"), Text),
    "auth_method": Literal["client_secret", "private_key_jwt"],
    "deliver_to": Places,
    "max_count": Annotated[StrictInt, Field(ge=0)],
    "rule": Annotated[str, PlainValidator(_rule), WithJsonSchema({"type": "string", "pattern": RULE_PATTERN})],
}
"""How each field of the classes is written in a file; those that hold another form stand below."""


def form_of(cls: type, **types: Any) -> type[Form]:  # noqa: ANN401 - types of fields
    """Return the form of a declaration's class: its fields but the name, as they are written in a file."""
    fields: dict[str, Any] = {}
    for name, field in cls.__pydantic_fields__.items():  # type: ignore[attr-defined]  # a class made by @declaration
        if name == "name":
            continue
        kind = types[name] if name in types else TYPES[name]
        fields[name] = (kind, ... if field.is_required() else None)
    return create_model(cls.__name__, __base__=Form, __doc__=(cls.__doc__ or "").partition("\n")[0], **fields)


RotationForm = form_of(RotationSchedule)
WaiverForm = form_of(Waiver)


class ClassificationForm(Form):
    """Why an API key is no M2M client: exactly one of three."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    transitional: form_of(Transitional) = None  # type: ignore[valid-type]
    permanent_exception: form_of(PermanentException) = None  # type: ignore[valid-type]
    bootstrap: form_of(Bootstrap) = None  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("takes exactly one of transitional, permanent_exception and bootstrap")
        return self


_NESTED: Final[Mapping[str, Any]] = {
    "rotation": RotationForm,
    "waivers": list[WaiverForm],  # type: ignore[valid-type]
    "classification": ClassificationForm,
}

KINDS: Final[Mapping[str, type]] = {
    "resource_servers": ResourceServer,
    "m2m_clients": M2MClient,
    "client_secrets": ClientSecret,
    "api_keys": ApiKey,
    "manual_keys": ManualKey,
    "governed": Governed,
    "allowed": Allowed,
}
"""The sections of a file, and the class whose fields their entries have."""

FORMS: Final[Mapping[str, type[Form]]] = {
    section: form_of(cls, **{name: kind for name, kind in _NESTED.items() if name in cls.__pydantic_fields__})  # type: ignore[attr-defined]
    for section, cls in KINDS.items()
    if cls is not ResourceServer
} | {
    "resource_servers": form_of(
        ResourceServer, adopt=StrictBool, scopes=Annotated[dict[Text, str], Field(min_length=1)]
    )
}

OF_ONE: Final = frozenset({"adopt", "client", "client_id", "previously", "reviewed", "waivers"})
"""Fields that belong to one credential and cannot be a default of many."""


def _defaults() -> type[Form]:
    fields: dict[str, Any] = {}
    for section in ("m2m_clients", "client_secrets", "api_keys", "manual_keys"):
        for name, field in FORMS[section].model_fields.items():
            if name not in OF_ONE:
                fields.setdefault(name, (field.rebuild_annotation(), None))
    about = "Fields for every entry of this file that has them and does not say them itself."
    return create_model("Defaults", __base__=Form, __doc__=about, **fields)


DefaultsForm: Final = _defaults()
