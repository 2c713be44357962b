"""A target made from options of the command line, read off its class: for a first look without any stack.

Nothing of what was typed is repeated in an error: it may be a secret in the wrong place.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

from keysteward.core.contract.ports import Target
from keysteward.core.errors import DeclarationError
from keysteward.operations.kinds import target_kinds

REFERENCES: Final = ("reader", "admin")
"""Options that say where a credential stands; each does for the other, since a look only reads."""

WITHOUT_USE: Final = frozenset({"environments", "reading"})
"""Settings that a look has no use for."""

NOT_REPEATED: Final = "What was typed is not repeated here: it may be a secret."
NEVER_A_VALUE: Final = "credentials are given by reference (env:NAME or file:/path), never as a value"

_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_REFERENCE = re.compile(r"(env|file|profile|role):.")
_SECRETS = re.compile(
    r"sk[-_]|gh[a-z]_|glpat-|xox[a-z]-|hvs\.|eyJ|A[KS]IA[A-Z0-9]{12}|-----BEGIN|[a-z+]+://[^/]*@", re.IGNORECASE
)
"""How values begin that must not be arguments: tokens and keys of known vendors, JWTs, PEM, addresses with a login."""


def is_kind(word: str) -> bool:
    """Say whether a word names a kind of target: one that a package names, or a class."""
    return word in target_kinds() or _CLASS.fullmatch(word) is not None


@dataclass(frozen=True, slots=True)
class Setting:
    """One option: the field of the class that it sets. `many`: it may be given more than once, or with commas."""

    name: str
    required: bool
    kind: type = str
    many: bool = False

    @property
    def option(self) -> str:
        """Return it as it is typed."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def usage(self) -> str:
        """Return it with what stands behind it."""
        if self.name in REFERENCES:
            return f"{self.option} env:NAME"
        return self.option if self.kind is bool else f"{self.option} {self.name.rpartition('_')[2].upper()}"


def target_from(kind: str, words: Sequence[str]) -> Target:
    """Make a target of a kind from the words behind it, for reading. Raises DeclarationError in one sentence."""
    made = _class_of(kind)
    settings = {setting.name: setting for setting in settings_of(made)}
    untyped = sorted(name for name, needed in _parameters(made) if needed and name not in settings)
    if untyped:
        what = ", ".join(untyped)
        raise DeclarationError(
            f"--target {kind} cannot be made from options, since {what} is none; declare it in a stack"
        )
    given = _given(kind, settings, words)
    missing = [s for s in settings.values() if s.required and s.name not in given]
    if missing:
        asked = [REFERENCES[0] if s.name in REFERENCES and REFERENCES[0] in settings else s.name for s in missing]
        options = ", ".join(settings[name].option for name in dict.fromkeys(asked))
        raise DeclarationError(f"missing: {options}; {_takes(kind, settings)}")
    try:
        target: Target = made(**{"name": kind.rpartition(":")[2], **given})
    except DeclarationError as error:
        raise DeclarationError(f"--target {kind}: {_hidden(str(error), given)}") from None
    except (TypeError, ValueError):
        raise DeclarationError(f"--target {kind} does not take this: {_takes(kind, settings)}") from None
    return target.as_reader()


def settings_of(made: type) -> Iterator[Setting]:
    """Yield what a target's constructor takes and can be typed; `admin` is asked for where no `reader` is given."""
    parameters = inspect.signature(made, eval_str=True).parameters
    for name, needed in _parameters(made):
        kind, many = _kind(parameters[name].annotation)
        if name not in WITHOUT_USE and kind is not None:
            yield Setting(name, needed, kind, many)


def _parameters(made: type) -> Iterator[tuple[str, bool]]:
    """Yield what a constructor takes, and whether it must be given; the name has a default here."""
    for name, parameter in inspect.signature(made).parameters.items():
        yield name, parameter.default is parameter.empty and name != "name"


def _kind(annotation: object) -> tuple[type | None, bool]:
    """Return the type of one value and whether there may be several; None where it cannot be typed."""
    if get_origin(annotation) in {Union, UnionType}:
        kinds = [part for part in get_args(annotation) if part is not NoneType]
        return _kind(kinds[0]) if len(kinds) == 1 else (None, False)
    if get_origin(annotation) is tuple:
        return _kind(get_args(annotation)[0])[0], True
    known = {str: str, bool: bool, int: int, float: float}
    return (known.get(annotation), False) if isinstance(annotation, type) else (None, False)


def _class_of(kind: str) -> type:
    point = target_kinds().get(kind)
    module, _, name = (kind if point is None else point.value).partition(":")
    try:
        made = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise DeclarationError(f"--target {kind} cannot be imported; install the package that provides it") from None
    if not isinstance(made, type) or not all(hasattr(made, part) for part in ("observe", "as_reader")):
        raise DeclarationError(
            f"--target {kind} is no target; choose one of {', '.join(target_kinds())}, or name a class"
        )
    return made


def _given(kind: str, settings: Mapping[str, Setting], words: Sequence[str]) -> dict[str, Any]:
    """Read options and their values. A credential that is given under one name alone is taken under the other too."""
    texts: dict[str, list[str]] = {}
    left = list(words)
    while left:
        word, separator, value = left.pop(0).partition("=")
        setting = settings.get(word.removeprefix("--").replace("-", "_")) if word.startswith("--") else None
        flag = setting is not None and setting.kind is bool
        if setting is None or (flag and separator) or not (flag or separator or left):
            raise DeclarationError(f"there is no such option: {_takes(kind, settings)}. {NOT_REPEATED}")
        texts.setdefault(setting.name, []).append("" if flag else value if separator else left.pop(0))
    given = {name: _value(settings[name], found) for name, found in texts.items()}
    there = [name for name in REFERENCES if name in given]
    if len(there) == 1 and set(REFERENCES) <= set(settings):
        given |= dict.fromkeys(REFERENCES, given[there[0]])
    return given


def _value(setting: Setting, texts: Sequence[str]) -> Any:  # noqa: ANN401 - of the setting's type
    if setting.kind is bool:
        return True
    if setting.name in REFERENCES and not all(_REFERENCE.match(text) for text in texts):
        raise DeclarationError(f"{setting.option} must be a reference: {NEVER_A_VALUE}. {NOT_REPEATED}")
    if setting.name not in REFERENCES and any(_SECRETS.match(text.strip()) for text in texts):
        raise DeclarationError(f"{setting.option} looks like a secret: {NEVER_A_VALUE}. {NOT_REPEATED}")
    if len(texts) > 1 and not setting.many:
        raise DeclarationError(f"{setting.option} is given more than once")
    try:
        if setting.many:
            return tuple(setting.kind(part) for text in texts for part in text.split(",") if part)
        return setting.kind(texts[0])
    except ValueError:
        raise DeclarationError(f"{setting.option} must be a number. {NOT_REPEATED}") from None


def _takes(kind: str, settings: Mapping[str, Setting]) -> str:
    """Say what a kind of target takes."""
    needed = [s.usage for s in settings.values() if s.required and s.name not in REFERENCES]
    asked = [s.usage for s in settings.values() if s.name in REFERENCES[:1]]
    others = [s.option for s in settings.values() if not s.required and s.name not in REFERENCES]
    others += [s.option for s in settings.values() if s.name in REFERENCES[1:]]
    known = " ".join([*needed, *asked])
    return f"--target {kind} takes {known}, and where needed {', '.join(others)}; {NEVER_A_VALUE}"


def _hidden(message: str, given: Mapping[str, Any]) -> str:
    """Return a message without the values that were typed."""
    for value in sorted((v for v in given.values() if isinstance(v, str) and v), key=len, reverse=True):
        message = message.replace(repr(value), "what was typed").replace(value, "what was typed")
    return message
