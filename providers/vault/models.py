"""What Vault answers, as far as it is read: representations of its API, which ignore what they do not know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from keysteward.host.foreign_json import LATEST, Moment
from keysteward.host.token_proof import MOST_SECONDS, VISIBLE

_FOLDER_OR_NAME: Final = r"^[^/]+/?$"


def _nothing_is_none(value: object) -> object:
    return value or None


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Health(_Answer):
    """`sys/health`."""

    version: str = "unknown"
    server_time_utc: int = Field(ge=0, lt=int(LATEST.timestamp()))


class _Login(_Answer):
    client_token: str = Field(pattern=VISIBLE, repr=False)
    lease_duration: int = Field(0, ge=0, le=MOST_SECONDS)


class LoggedIn(_Answer):
    """What a log-in gives."""

    auth: _Login


class Described(_Answer):
    """What stands beside the data of a version."""

    version: int = Field(ge=1)
    custom_metadata: dict[str, str] | None = None


class _Deleted(_Answer):
    metadata: Described | None = None


class Refusal(_Answer):
    """What stands in an answer that is no success: `data` where a document was deleted, `sealed` in that of health."""

    errors: tuple[str, ...] | None = None
    data: _Deleted | None = None
    sealed: bool | None = None


class _Version(_Answer):
    data: dict[str, Any] | None
    metadata: Described


class ReadVersion(_Answer):
    """`GET data/{path}`."""

    data: _Version


class _Written(_Answer):
    version: int = Field(ge=1)


class WrittenVersion(_Answer):
    """`POST data/{path}`."""

    data: _Written


class OfVersion(_Answer):
    """What is kept of a version: whether it was destroyed, and until when it can be read."""

    destroyed: bool = False
    deletion_time: Annotated[Moment | None, BeforeValidator(_nothing_is_none)] = None


class _Metadata(_Answer):
    current_version: int = Field(ge=0)
    custom_metadata: dict[str, str] | None = None
    versions: dict[int, OfVersion] | None = None


class ReadMetadata(_Answer):
    """`GET metadata/{path}`."""

    data: _Metadata


class _Keys(_Answer):
    keys: list[Annotated[str, Field(pattern=_FOLDER_OR_NAME)]]


class ListedKeys(_Answer):
    """`LIST metadata/{folder}`: names, folders with a slash behind."""

    data: _Keys


class _Mount(_Answer):
    type: str | None = None
    options: dict[str, str] | None = None


class ReadMount(_Answer):
    """`GET sys/internal/ui/mounts/{mount}`."""

    data: _Mount


class Held(_Answer):
    """`POST sys/capabilities-self`: what the token may do, by path."""

    data: dict[str, Any]

    def of(self, paths: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return the capabilities on these paths; `data` holds more than paths."""
        held = {path: self.data.get(path) for path in paths}
        return {path: frozenset(map(str, found if isinstance(found, list) else ())) for path, found in held.items()}
