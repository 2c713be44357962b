"""References to administrator credentials: "env:NAME" or "file:/path". Their values are read late and never kept."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pydantic import SecretStr

from keysteward.core.errors import AccessDenied, DeclarationError

_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_TOKEN = re.compile(r"[\x21-\x7e]+")


def check_reference(reference: str, *, field: str) -> str:
    """Return the reference when it is one. Raises DeclarationError, for a value pasted in place of it too."""
    scheme, separator, rest = reference.partition(":")
    if not separator or scheme not in {"env", "file"} or not rest:
        raise DeclarationError(
            f'{field} must be a reference such as "env:KEYCLOAK_ADMIN" or "file:/run/secrets/keycloak", never a value'
        )
    return reference


def resolve(reference: str, *, purpose: str) -> SecretStr:
    """Read the one line that a reference points to. Raises AccessDenied that names the variable or file otherwise.

    White space around it is no part of it: files and mounted secrets end in a line break.
    """
    value = _read(reference, purpose)
    if not value.isprintable():
        raise AccessDenied(
            f"{purpose}: what {_place(reference)} holds has several lines, or characters that do not show; put "
            "the credential there, and nothing else"
        )
    return SecretStr(value)


def resolve_token(reference: str, *, purpose: str) -> SecretStr:
    """Read what goes into a header as it is: visible ASCII characters alone. Raises AccessDenied otherwise."""
    value = resolve(reference, purpose=purpose)
    if not _TOKEN.fullmatch(value.get_secret_value()):
        raise AccessDenied(
            f"{purpose}: what {_place(reference)} holds cannot be a token: it has spaces, or characters beyond ASCII; "
            "put the token there, and nothing else"
        )
    return value


def resolve_lines(reference: str, *, purpose: str) -> SecretStr:
    """Read what may have several lines, such as a key in PEM. Raises AccessDenied as `resolve` does."""
    return SecretStr(_read(reference, purpose))


def _read(reference: str, purpose: str) -> str:
    """Read the text that a reference points to; bytes that are no UTF-8 show as surrogates, in both kinds."""
    scheme, _, rest = reference.partition(":")
    where = _place(reference)
    missing = "is not set; set it to the credential" if scheme == "env" else "is empty; put the credential there"
    try:
        found = (
            os.environ.get(rest, "")
            if scheme == "env"
            else Path(rest).expanduser().read_text(encoding="utf-8", errors="surrogateescape")
        )
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise AccessDenied(f"{purpose}: {where} cannot be read ({reason}); put the credential there") from None
    value = found.strip()
    if not value:
        raise AccessDenied(f"{purpose}: {where} {missing}")
    if _NO_TEXT.search(value):
        raise AccessDenied(f"{purpose}: what {where} holds is no text; put the credential there, and nothing else")
    return value


def _place(reference: str) -> str:
    scheme, _, rest = reference.partition(":")
    return f"environment variable {rest}" if scheme == "env" else rest
