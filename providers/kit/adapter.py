"""What a target says of itself in the same way as every other: how to make it again, its reader, its errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from keysteward.core.contract.ports import Descriptor
from keysteward.core.errors import KeystewardError
from keysteward.host.references import check_reference

OWN = frozenset({"reading"})
"""Fields that are no settings: they say which of its credentials a value uses."""


class Adapter:
    """The base of a frozen dataclass whose fields are the settings of a target.

    `KIND` is its class path, "package.module:Class", which ledgers keep: it never changes. A field `reader` is the
    reference to the credential that only reads; `reading` says that it is in use.
    """

    KIND: ClassVar[str]

    if TYPE_CHECKING:
        name: str
        reader: str | None
        reading: bool

    def __post_init__(self) -> None:
        for field in fields(cast("Any", self)):
            value = getattr(self, field.name)
            if isinstance(value, Iterable) and not isinstance(value, str | tuple | Mapping):
                object.__setattr__(self, field.name, tuple(value))  # a descriptor holds it as a list
        self._check_credentials()

    @property
    def descriptor(self) -> Descriptor:
        """How to make this target again, without any secret."""
        return Descriptor(self.KIND, settings_of(self))

    def as_reader(self) -> Self:
        """Return the same target with the reader's credential; the administrator's when no reader is declared."""
        made: Self = replace(cast("Any", self), reading=self.reader is not None)
        return made

    def in_use(self, admin: str) -> tuple[str, str]:
        """Return the reference to the credential in use, and which it is: "reader" or "admin"."""
        return (self.reader, "reader") if self.reading and self.reader is not None else (admin, "admin")

    def _check_credentials(self) -> None:
        """Raise DeclarationError unless `admin` and `reader` are references to credentials, or not given."""
        for name in ("admin", "reader"):
            reference = vars(self).get(name)
            if reference is not None:
                check_reference(reference, field=f"{type(self).__name__} {self.name!r}: {name}")

    def _error(self, kind: type[KeystewardError], operation: str, message: str) -> KeystewardError:
        """Return an error with target and operation filled in."""
        return kind(message, target=self.name, operation=operation)


def settings_of(declared: object) -> dict[str, Any]:
    """Return the fields of a dataclass that are not at their defaults, as JSON."""
    found = {}
    for field in fields(cast("Any", declared)):
        value = getattr(declared, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if field.name not in OWN and value != default:
            found[field.name] = _json(value)
    return found


def _json(value: object) -> object:
    if is_dataclass(value):
        return settings_of(value)
    if isinstance(value, Mapping):
        return dict(value)
    return [_json(item) for item in value] if isinstance(value, tuple) else value
