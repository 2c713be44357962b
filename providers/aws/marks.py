"""Our tags on a secret: whose it is, what its document holds, and which version that describes.

Tags are what `DescribeSecret` shows without a value. AWS allows letters, digits, spaces and `+ - = . _ : / @` in them,
and 256 characters each (Tagging API Reference); everything else is written as @ and two hexadecimal digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from keysteward.core.contract.observed import DeliveredEntry
from keysteward.core.errors import Damaged
from keysteward.providers.documents.description import Description, read_entry

PREFIX: Final = "keysteward:"
VALUE_CHARACTERS: Final = 256

_IDENTITY, _VERSION = f"{PREFIX}identity", f"{PREFIX}version"
_CURRENT, _PREVIOUS, _STAGED = f"{PREFIX}current", f"{PREFIX}previous", f"{PREFIX}staged"
_FIELDS: Final = ("generation", "fingerprint", "nonce", "remote_id", "about")
_BETWEEN: Final = " = "  # "=" itself is quoted
_NONE: Final = "-"
_PLAIN: Final = "+.:/_"


@dataclass(frozen=True, slots=True)
class Marks:
    """What the tags say. `version` is the id of the version they speak of; "" when none was written yet."""

    description: Description
    version: str


def announcement(identity: str) -> dict[str, str]:
    """Return the tags of a secret that holds no document yet."""
    return {**_split(_IDENTITY, _quoted(identity)), _VERSION: ""}


def pack(description: Description, version: str) -> dict[str, str]:
    """Return the tags that say this. What is left over of longer ones is not read."""
    tags = {**_split(_IDENTITY, _quoted(description.identity or "")), _VERSION: version}
    if description.staged:
        return tags | _split(_STAGED, _BETWEEN.join(map(_written, description.staged)))
    for key, entry in ((_CURRENT, description.current), (_PREVIOUS, description.previous)):
        tags |= _split(key, _written(entry) if entry else "")
    return tags


def unpack(tags: Mapping[str, str]) -> Marks | None:
    """Read our tags; None when there is no mark of ours. What cannot be read describes no version."""
    identity = unquote(_joined(tags, _IDENTITY).replace("@", "%"))
    if not identity:
        return None
    try:
        current, previous = (_entries(_joined(tags, key)) for key in (_CURRENT, _PREVIOUS))
        staged = _entries(_joined(tags, _STAGED))
    except Damaged:
        return Marks(Description(identity), "")
    return Marks(
        Description(identity, next(iter(current), None), next(iter(previous), None), staged), tags.get(_VERSION, "")
    )


def keys(tags: Mapping[str, str]) -> Iterable[str]:
    """Return the keys of ours."""
    return [key for key in tags if key.startswith(PREFIX)]


def _written(entry: DeliveredEntry) -> str:
    return " ".join(_quoted(_NONE if value is None else str(value)) for value in (getattr(entry, f) for f in _FIELDS))


def _entries(text: str) -> tuple[DeliveredEntry, ...]:
    found = []
    for part in text.split(_BETWEEN) if text else ():
        values = [unquote(word.replace("@", "%")) for word in part.split(" ")]
        plain = dict(zip(_FIELDS, values, strict=False))
        found.append(read_entry({name: value for name, value in plain.items() if value != _NONE}))
    return tuple(found)


def _quoted(text: str) -> str:
    return quote(text, safe=_PLAIN).replace("~", "%7E").replace("%", "@")


def _split(key: str, text: str) -> dict[str, str]:
    """Cut a text into values of the length allowed; a full one is always followed by another."""
    parts = [text[at : at + VALUE_CHARACTERS] for at in range(0, len(text) + 1, VALUE_CHARACTERS)]
    return {key if number == 0 else f"{key}+{number}": part for number, part in enumerate(parts)}


def _joined(tags: Mapping[str, str], key: str) -> str:
    text = part = tags.get(key, "")
    number = 1
    while len(part) == VALUE_CHARACTERS:
        part = tags.get(f"{key}+{number}", "")
        text += part
        number += 1
    return text
